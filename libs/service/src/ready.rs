//! Calling a service in a future of its own.

/// Takes the service that was polled ready out of its place, and leaves a clone there: whoever has polled a service ready must
/// call that one, and not a clone of it, which may not be (see [`tower::Service`]).
pub(crate) fn take_ready<S: Clone>(service: &mut S) -> S {
    let clone = service.clone();
    std::mem::replace(service, clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ready only as what it was polled as.
    struct Polled(bool);

    impl Clone for Polled {
        fn clone(&self) -> Self {
            Self(false)
        }
    }

    #[test]
    fn the_one_that_was_polled_is_taken_and_a_clone_is_left() {
        let mut service = Polled(true);
        assert!(take_ready(&mut service).0);
        assert!(!service.0);
    }
}
