//! Where a ring is and who keeps its keys: opening it, adding to it, taking from it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use countersign_core::{Rng, SecretBytes};
use countersign_crypto::DataKey;
use futures_util::FutureExt as _;
use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::{
    KeyRing, Versions,
    file::{Access, HeldVersion, KEK, RingFile},
};
use crate::{KeyProblem, KeyProvider, OpenError, ProviderError, ProviderKind, provider::LocalFile};

/// Where a ring is and who keeps its keys.
#[derive(Debug)]
pub(crate) struct RingPlace {
    directory: PathBuf,
    access: Access,
    /// Another one once the ring was moved.
    provider: RwLock<Arc<dyn KeyProvider>>,
    /// Held from reading the file until what is in memory is the same, so that nobody puts an older ring there.
    changing: Mutex<()>,
}

impl RingPlace {
    pub(crate) fn new(directory: &Path, access: Access, provider: Arc<dyn KeyProvider>) -> Self {
        Self {
            directory: directory.to_owned(),
            access,
            provider: RwLock::new(provider),
            changing: Mutex::new(()),
        }
    }

    /// Keys that the file itself keeps.
    pub(crate) fn local(directory: &Path, access: Access) -> Self {
        Self::new(directory, access, Arc::new(LocalFile))
    }

    fn provider(&self) -> Arc<dyn KeyProvider> {
        Arc::clone(&self.provider.read())
    }

    /// Returns of which kind the provider is that keeps its keys.
    pub(crate) fn kind(&self) -> ProviderKind {
        self.provider().kind()
    }

    /// Reads the ring and unwraps its keys; `None` if there is no file.
    pub(crate) async fn open(
        &self,
        rng: Option<Arc<dyn Rng>>,
    ) -> Result<Option<KeyRing>, OpenError> {
        match self.read()? {
            Some(file) => Ok(Some(KeyRing::new(self.unwrapped(&file).await?, rng))),
            None => Ok(None),
        }
    }

    /// Reads the ring again and unwraps its keys, unless it is the same file. Which version wraps stays as it is, if that
    /// version is still there. Returns whether the ring changed.
    pub(crate) async fn refresh(&self, ring: &KeyRing) -> Result<bool, OpenError> {
        let _alone = self.changing.lock().await;
        self.read_again(ring).await
    }

    async fn read_again(&self, ring: &KeyRing) -> Result<bool, OpenError> {
        let file = self.read()?.ok_or_else(|| self.missing())?;
        if file.hash == ring.now().hash {
            return Ok(false);
        }
        ring.exchange(self.unwrapped(&file).await?);
        Ok(true)
    }

    /// Draws the first key of a ring and puts the ring in place.
    pub(crate) async fn create(&self, rng: Arc<dyn Rng>) -> Result<KeyRing, OpenError> {
        let key = DataKey::generate(&*rng);
        let first = self.held(&*self.provider(), 1, &key, &*rng).await?;
        let mut file = RingFile::new(self.provider().kind(), vec![first]);
        file.write(&self.directory)?;
        Ok(KeyRing::new(Versions::new(vec![(1, key)], file.hash), Some(rng)))
    }

    /// Draws one more key and puts it into the ring, on disk first. It wraps at once if `wraps`.
    pub(crate) async fn add(
        &self,
        ring: &KeyRing,
        rng: &dyn Rng,
        wraps: bool,
    ) -> Result<u32, OpenError> {
        let _alone = self.changing.lock().await;
        let (mut file, before) = self.whole(ring, rng).await?;
        let number = before.newest().saturating_add(1);
        let key = DataKey::generate(rng);
        file.versions.push(self.held(&*self.provider(), number, &key, rng).await?);
        file.write(&self.directory)?;
        let mut keys = before.keys.clone();
        keys.push((number, key));
        let versions = Versions::new(keys, file.hash);
        if wraps {
            ring.replace(versions);
        } else {
            ring.exchange(versions);
        }
        Ok(number)
    }

    /// Takes all versions but `kept` out of the ring, on disk first, and returns which. Nothing may be wrapped under them.
    pub(crate) async fn keep_only(
        &self,
        ring: &KeyRing,
        kept: u32,
        rng: &dyn Rng,
    ) -> Result<Vec<u32>, OpenError> {
        let _alone = self.changing.lock().await;
        let (mut file, before) = self.whole(ring, rng).await?;
        let retired = before.keys.iter().map(|(number, _)| *number);
        let retired: Vec<_> = retired.filter(|number| *number != kept).collect();
        if retired.is_empty() {
            return Ok(retired);
        }
        file.versions.retain(|version| version.number == kept);
        file.write(&self.directory)?;
        let mut keys = before.keys.clone();
        keys.retain(|(number, _)| *number == kept);
        ring.replace(Versions::new(keys, file.hash));
        Ok(retired)
    }

    /// Lets the provider wrap every version anew, under the newest of its own keys.
    pub(crate) async fn rewrap(&self, ring: &KeyRing, rng: &dyn Rng) -> Result<(), OpenError> {
        let _alone = self.changing.lock().await;
        let (mut file, before) = self.whole(ring, rng).await?;
        let provider = self.provider();
        for version in &mut file.versions {
            let anew = provider.rewrap(version.number, &version.held).await?;
            // What does not open again would be lost for ever.
            opened(&*provider, version, &anew).await?;
            version.held = anew;
        }
        file.write(&self.directory)?;
        self.rewritten(ring, &before, &file);
        Ok(())
    }

    /// Gives the ring to another provider to keep.
    pub(crate) async fn move_to(
        &self,
        ring: &KeyRing,
        to: Arc<dyn KeyProvider>,
        rng: &dyn Rng,
    ) -> Result<(), OpenError> {
        let _alone = self.changing.lock().await;
        let (mut file, before) = self.whole(ring, rng).await?;
        for version in &mut file.versions {
            let key = before.keys.iter().find(|(number, _)| *number == version.number);
            let (number, key) = key.ok_or_else(|| self.damaged("it was changed meanwhile"))?;
            let moved = self.held(&*to, *number, key, rng).await?;
            opened(&*to, &moved, &moved.held).await?;
            *version = moved;
        }
        file.provider = to.kind();
        file.write(&self.directory)?;
        *self.provider.write() = to;
        self.rewritten(ring, &before, &file);
        Ok(())
    }

    fn rewritten(&self, ring: &KeyRing, before: &Versions, file: &RingFile) {
        ring.exchange(Versions { hash: file.hash, ..before.clone() });
    }

    /// Reads the file to change it, and looks whether it is the one that is in memory.
    async fn whole(
        &self,
        ring: &KeyRing,
        rng: &dyn Rng,
    ) -> Result<(RingFile, Arc<Versions>), OpenError> {
        self.read_again(ring).await?;
        let mut file = self.read()?.ok_or_else(|| self.missing())?;
        let versions = ring.now();
        if file.hash != versions.hash {
            return Err(self.damaged("it was changed meanwhile"));
        }
        file.complete(&versions.keys, rng);
        Ok((file, versions))
    }

    async fn held(
        &self,
        provider: &dyn KeyProvider,
        number: u32,
        key: &DataKey,
        rng: &dyn Rng,
    ) -> Result<HeldVersion, OpenError> {
        let held = provider.wrap(number, &SecretBytes::new(key.expose().to_vec())).await?;
        Ok(HeldVersion::new(number, key, held, rng))
    }

    fn read(&self) -> Result<Option<RingFile>, OpenError> {
        let Some(file) = RingFile::read(&self.directory, self.access)? else { return Ok(None) };
        let (found, configured) = (file.provider, self.provider().kind());
        if found != configured {
            return Err(ProviderError::Another { found, configured }.into());
        }
        Ok(Some(file))
    }

    async fn unwrapped(&self, file: &RingFile) -> Result<Versions, OpenError> {
        let provider = self.provider();
        let mut keys = Vec::with_capacity(file.versions.len());
        for version in &file.versions {
            let key = opened(&*provider, version, &version.held).await?;
            keys.push((version.number, key));
        }
        Ok(Versions::new(keys, file.hash))
    }

    fn missing(&self) -> OpenError {
        let source = std::io::ErrorKind::NotFound.into();
        OpenError::Io { path: KEK.path(&self.directory), source }
    }

    fn damaged(&self, what: &str) -> OpenError {
        OpenError::Damaged(KeyProblem::new(KEK.path(&self.directory).display().to_string(), what))
    }
}

/// Lets the provider unwrap a version, and looks whether it is the key that was wrapped.
async fn opened(
    provider: &dyn KeyProvider,
    version: &HeldVersion,
    held: &[u8],
) -> Result<DataKey, OpenError> {
    let wrong = || ProviderError::WrongKey {
        provider: provider.kind(),
        what: format!("what it returned is not version {} of the ring", version.number),
    };
    let key = provider.unwrap(version.number, held).await?;
    let key = <[u8; 32]>::try_from(key.expose()).map_err(|_| wrong())?;
    let key = DataKey::from_bytes(key);
    if version.is(&key) { Ok(key) } else { Err(wrong().into()) }
}

/// Returns what work gives that waits for nobody, as all work does with keys that the file itself keeps.
pub(crate) fn immediately<T>(
    work: impl Future<Output = Result<T, OpenError>>,
) -> Result<T, OpenError> {
    let waits = || ProviderError::Settings {
        field: "keys.provider",
        what: "a provider that is a service cannot be asked here".to_owned(),
    };
    work.now_or_never().unwrap_or_else(|| Err(waits().into()))
}
