//! Fields that several requests share: pages end, and nothing is taken that could not be shown or kept.

#![no_main]

use countersign_fuzz::Parts;
use countersign_service::{fields, paging::Page};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = Parts::new(bytes);
    let (size, items) = (u32::from_be_bytes(parts.array()), parts.byte());
    let text = String::from_utf8_lossy(parts.rest());

    if let Ok(page) = Page::of(size, &text) {
        let (taken, next) = page.take(0..items);
        assert!(taken.len() <= 100 && taken.len() <= page.size);
        if !next.is_empty() {
            let following = Page::of(size, &next).expect("a token of ours");
            assert!(following.offset > page.offset && following.offset < usize::from(items));
        }
    }
    if let Ok(code) = fields::code(&text) {
        assert!(code == text && (1..=64).contains(&code.len()) && code.is_ascii());
    }
    if let Ok(user) = fields::user_id(&text) {
        assert_eq!(user.expose(), text);
    }
    if let Ok(name) = fields::display_name("display_name", &text) {
        assert_eq!(name, text);
        assert!(name.len() <= 128 && !name.trim().is_empty());
    }
});
