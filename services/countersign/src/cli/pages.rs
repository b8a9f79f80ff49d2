//! Lists that the server tells page by page.

use super::Failure;

/// Returns all items of a list: `page` is given the token of a page, and returns its items and the token of the next one.
///
/// # Errors
/// Returns what `page` says.
pub(crate) async fn every_page<T>(
    page: impl AsyncFn(String) -> Result<(Vec<T>, String), Failure>,
) -> Result<Vec<T>, Failure> {
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let (items, next) = page(page_token).await?;
        all.extend(items);
        if next.is_empty() {
            return Ok(all);
        }
        page_token = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_page_is_asked_for_once_until_there_is_no_next_one() {
        let all = every_page(async |token: String| {
            Ok(match token.as_str() {
                "" => (vec![1, 2], "second".to_owned()),
                "second" => (vec![], "third".to_owned()),
                _ => (vec![3], String::new()),
            })
        });
        assert_eq!(all.await.unwrap(), [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_page_that_fails_ends_the_list() {
        let all = every_page(async |token: String| match token.as_str() {
            "" => Ok((vec![1], "second".to_owned())),
            _ => Err(Failure::Unexpected("gone".to_owned())),
        });
        assert!(matches!(all.await, Err(Failure::Unexpected(_))));
    }
}
