//! The pages of metrics, made once for all who ask at the same moment: eight scrapers cost the memory of one.

use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use tokio::sync::{Mutex, OnceCell};

use super::body::Body;
use super::shared::Shared;
use crate::exposition::{self, Format, Renderer, Scope};
use crate::host::Clock;
use crate::store::Store;
use crate::telemetry::Telemetry;

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
    pages: Shared<Page>,
}

/// A page, shared by all who are sending it, one way or the other.
#[derive(Debug)]
struct Page {
    plain: exposition::Page,
    /// Made by the first who wants it.
    compressed: OnceCell<Bytes>,
}

impl Pages {
    pub(super) fn new(store: Arc<Store>, telemetry: Arc<Telemetry>, clock: Clock) -> Self {
        let kept = |format| {
            Mutex::new(Kept {
                renderer: Renderer::new(format, Scope::Scrape),
                pages: Shared::default(),
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
        parts.keeping(page)
    }

    /// The same, compressed with gzip.
    pub(super) async fn compressed(&self, format: Format) -> Body {
        let page = self.page(format).await;
        let whole = page.compressed.get_or_init(|| async {
            let page = Arc::clone(&page);
            // Megabytes of it would hold up everybody else.
            let compressing = tokio::task::spawn_blocking(move || compress(&page.plain));
            compressing.await.expect("compressing into memory does not panic")
        });
        Body::from(whole.await.clone()).keeping(page)
    }

    async fn page(&self, format: Format) -> Arc<Page> {
        let kept = match format {
            Format::Text => &self.text,
            Format::OpenMetrics => &self.openmetrics,
        };
        // Whoever comes meanwhile waits for the page that is being made, and shares it.
        let mut kept = kept.lock().await;
        if let Some(page) = kept.pages.again() {
            return page;
        }
        // Written over the one before, unless somebody is still sending that.
        let (snapshot, own) = (self.store.snapshot(), self.telemetry.gather());
        let plain = kept.renderer.render(&snapshot, &own, self.clock.now());
        kept.pages.put(Page {
            plain,
            compressed: OnceCell::new(),
        })
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
    use std::time::Duration;

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
    async fn a_page_that_is_sent_compressed_counts_as_one_that_is_sent() {
        let pages = pages();
        let pause = Duration::from_secs(1);
        let first = pages.plain(Format::Text).await;
        tokio::time::advance(pause).await;
        let second = pages.compressed(Format::Text).await;
        tokio::time::advance(pause).await;
        let third = pages.compressed(Format::Text).await;
        assert_eq!(buffers(&third), buffers(&second));
        drop(first);
        let fourth = pages.compressed(Format::Text).await;
        assert_ne!(buffers(&fourth), buffers(&second));
    }

    #[tokio::test(start_paused = true)]
    async fn the_formats_have_pages_of_their_own() {
        let pages = pages();
        let text = pages.plain(Format::Text).await.text();
        let openmetrics = pages.plain(Format::OpenMetrics).await.text();
        assert!(!text.ends_with("# EOF\n") && openmetrics.ends_with("# EOF\n"));
    }
}
