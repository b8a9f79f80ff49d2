//! Pages of lists.

use countersign_core::FieldProblem;

use crate::ApiError;

/// One page: at most `size` items from `offset` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Items to pass over.
    pub offset: usize,
    /// Items at most.
    pub size: usize,
}

impl Page {
    /// Reads `page_size` (1 to 100; 50 if zero) and `page_token`.
    ///
    /// # Errors
    /// Says which of the two is wrong.
    pub fn of(page_size: u32, page_token: &str) -> Result<Self, ApiError> {
        let size = match page_size {
            0 => 50,
            1..=100 => page_size as usize,
            _ => {
                let problem = FieldProblem::Other("must be 1 to 100, or 0 for 50");
                return Err(ApiError::field("page_size", problem));
            }
        };
        let offset = match page_token {
            "" => 0,
            token if token.len() <= 20 => token.parse().map_err(|_| bad_token())?,
            _ => return Err(bad_token()),
        };
        Ok(Self { offset, size })
    }

    /// Takes this page of `items`, and the token of the next one; empty on the last.
    pub fn take<T>(self, items: impl IntoIterator<Item = T>) -> (Vec<T>, String) {
        let mut rest = items.into_iter().skip(self.offset);
        let page: Vec<T> = rest.by_ref().take(self.size).collect();
        let next = if rest.next().is_some() {
            self.offset.saturating_add(self.size).to_string()
        } else {
            String::new()
        };
        (page, next)
    }
}

fn bad_token() -> ApiError {
    let problem = FieldProblem::Other("must be a `next_page_token` of this list, or empty");
    ApiError::field("page_token", problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_last() {
        let (first, token) = Page::of(2, "").unwrap().take(1..=3);
        assert_eq!((first, token.as_str()), (vec![1, 2], "2"));
        let (last, token) = Page::of(2, &token).unwrap().take(1..=3);
        assert_eq!((last, token.as_str()), (vec![3], ""));
    }

    #[test]
    fn a_bad_size_or_token_is_named() {
        assert_eq!(Page::of(101, "").unwrap_err().field.unwrap().field, "page_size");
        assert_eq!(Page::of(1, "x").unwrap_err().field.unwrap().field, "page_token");
        assert!(Page::of(1, "18446744073709551616").is_err());
        let (none, token) = Page::of(1, "18446744073709551615").unwrap().take([1]);
        assert!(none.is_empty() && token.is_empty());
    }
}
