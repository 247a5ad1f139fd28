//! The pages of metrics, made once for all who ask at the same moment: eight scrapers cost the memory of one, and any
//! number of slow ones that of two. While those hold both, everybody else gets the later one.

use std::io::Write as _;
use std::sync::{Arc, Weak};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use super::body::Body;
use crate::exposition::{self, Format, Renderer, Scope};
use crate::host::Clock;
use crate::store::Store;
use crate::telemetry::Telemetry;

/// How old a page may be that is given to another client.
const FRESH: Duration = Duration::from_secs(1);

/// Makes the pages and holds the last one of each format.
#[derive(Debug)]
pub(super) struct Pages {
    store: Arc<Store>,
    telemetry: Arc<Telemetry>,
    clock: Clock,
    text: Mutex<Kept>,
    openmetrics: Mutex<Kept>,
}

/// A format's last page, and what makes the next.
#[derive(Debug)]
struct Kept {
    renderer: Renderer,
    last: Option<(Instant, Page)>,
    /// One before the last that was still being sent when the last was made.
    before: Weak<OnceCell<Bytes>>,
}

/// A page, shared by all who are sending it.
#[derive(Clone, Debug)]
struct Page {
    plain: exposition::Page,
    /// Made by the first who wants it. Whoever sends the page, one way or the other, has it as well.
    compressed: Arc<OnceCell<Bytes>>,
}

impl Pages {
    pub(super) fn new(store: Arc<Store>, telemetry: Arc<Telemetry>, clock: Clock) -> Self {
        let kept = |format| {
            Mutex::new(Kept {
                renderer: Renderer::new(format, Scope::Scrape),
                last: None,
                before: Weak::new(),
            })
        };
        Self {
            store,
            telemetry,
            clock,
            text: kept(Format::Text),
            openmetrics: kept(Format::OpenMetrics),
        }
    }

    /// The page as it stands, or stood a moment ago.
    pub(super) async fn plain(&self, format: Format) -> Body {
        let page = self.page(format).await;
        let parts: Body = page.plain.parts().iter().cloned().collect();
        parts.keeping(page.compressed)
    }

    /// The same, compressed with gzip.
    pub(super) async fn compressed(&self, format: Format) -> Body {
        let Page { plain, compressed } = self.page(format).await;
        let whole = compressed.get_or_init(|| async {
            // Megabytes of it would hold up everybody else.
            let compressing = tokio::task::spawn_blocking(move || compress(&plain));
            compressing.await.expect("compressing into memory does not panic")
        });
        Body::from(whole.await.clone()).keeping(compressed)
    }

    async fn page(&self, format: Format) -> Page {
        let kept = match format {
            Format::Text => &self.text,
            Format::OpenMetrics => &self.openmetrics,
        };
        // Whoever comes meanwhile waits for the page that is being made, and shares it.
        let mut kept = kept.lock().await;
        if let Some((made, page)) = &kept.last {
            let is_sent = Arc::strong_count(&page.compressed) > 1;
            // However many read as slowly as they like, they hold two pages at the most.
            if made.elapsed() < FRESH || (is_sent && kept.before.strong_count() > 0) {
                return page.clone();
            }
            if is_sent {
                kept.before = Arc::downgrade(&page.compressed);
            }
        }
        // Before the next one is made, which is written over this one unless somebody is still reading it.
        kept.last = None;
        let (snapshot, own) = (self.store.snapshot(), self.telemetry.gather());
        let page = Page {
            plain: kept.renderer.render(&snapshot, &own, self.clock.now()),
            compressed: Arc::default(),
        };
        kept.last = Some((Instant::now(), page.clone()));
        page
    }
}

/// At the fastest level: the text shrinks to some 3 % all the same.
fn compress(plain: &exposition::Page) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = plain.parts().iter().try_for_each(|part| encoder.write_all(part));
    let compressed = written.and_then(|()| encoder.finish());
    Bytes::from(compressed.expect("a Vec takes everything"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UnixMillis;
    use crate::telemetry::BUILD;

    fn pages() -> Pages {
        let telemetry = Arc::new(Telemetry::new(BUILD).unwrap());
        Pages::new(Arc::default(), telemetry, Clock::starting_at(UnixMillis(0)))
    }

    fn buffers(body: &Body) -> Vec<*const u8> {
        body.parts().map(|part| part.as_ptr()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_within_a_second_gets_the_same_buffer() {
        let pages = pages();
        for format in Format::ALL {
            let first = pages.plain(format).await;
            let compressed = pages.compressed(format).await;
            tokio::time::advance(Duration::from_millis(999)).await;
            assert_eq!(buffers(&pages.plain(format).await), buffers(&first));
            assert_eq!(buffers(&pages.compressed(format).await), buffers(&compressed));
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_ne!(buffers(&pages.plain(format).await), buffers(&first));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_no_third_page_while_two_are_being_sent_plain_or_compressed() {
        let pages = pages();
        let next = async || {
            tokio::time::advance(FRESH).await;
            pages.plain(Format::Text).await
        };
        let first = next().await;
        tokio::time::advance(FRESH).await;
        let second = pages.compressed(Format::Text).await;
        let third = next().await;
        let fourth = next().await;
        assert_eq!(buffers(&third), buffers(&fourth), "the second page, again");
        assert_ne!(buffers(&third), buffers(&first));
        drop(first);
        let fifth = next().await;
        assert_ne!(buffers(&fifth), buffers(&third));
        let sixth = next().await;
        assert_eq!(buffers(&sixth), buffers(&fifth), "the second is still being sent");
        drop((second, third, fourth));
        assert_ne!(buffers(&next().await), buffers(&fifth));
    }

    #[tokio::test(start_paused = true)]
    async fn the_formats_have_pages_of_their_own() {
        let pages = pages();
        let text = pages.plain(Format::Text).await.text();
        let openmetrics = pages.plain(Format::OpenMetrics).await.text();
        assert!(!text.ends_with("# EOF\n") && openmetrics.ends_with("# EOF\n"));
    }
}
