//! Reading and following.

use futures_util::{StreamExt as _, stream, stream::BoxStream};
use tonic::Status;

use super::{
    convert::{Pattern, Wanted, name},
    store::{Store, Told, WireEvent, inward},
    wire::streams::{
        ReadReq, ReadResp,
        read_req::options::{
            AllOptions, CountOption, FilterOption, FilterOptions, ReadDirection, StreamOption,
            StreamOptions, all_options::AllOption, filter_options::Filter, filter_options::Window,
            stream_options::RevisionOption,
        },
        read_resp::{self, Content, ReadEvent, read_event},
    },
};

/// How many events a filtered subscription passes over before it says how far it is, if the client does not say.
const WINDOW: u32 = 32;

pub(super) type Answers = BoxStream<'static, Result<ReadResp, Status>>;

/// Answers one call of `Read`, whichever of its forms it is.
pub(super) async fn read(store: &Store, request: ReadReq) -> Result<Answers, Status> {
    let missing = || Status::invalid_argument("a read says what it reads");
    let options = request.options.ok_or_else(missing)?;
    let backwards = options.read_direction == ReadDirection::Backwards as i32;
    let source = options.stream_option.ok_or_else(missing)?;
    let count = options.count_option.ok_or_else(missing)?;
    match (source, count) {
        (StreamOption::Stream(of), CountOption::Count(count)) => {
            read_stream(store, of, count, backwards).await
        }
        (StreamOption::All(all), CountOption::Count(count)) => {
            let filter = Selection::new(options.filter_option)?;
            read_all(store, &all, count, backwards, filter).await
        }
        (StreamOption::All(all), CountOption::Subscription(_)) => {
            let filter = Selection::new(options.filter_option)?;
            subscribe(store, &all, filter).await
        }
        (StreamOption::Stream(_), CountOption::Subscription(_)) => {
            Err(Status::unimplemented("the double has subscriptions to $all only"))
        }
    }
}

async fn read_stream(
    store: &Store,
    of: StreamOptions,
    count: u64,
    backwards: bool,
) -> Result<Answers, Status> {
    let name = name(of.stream_identifier.clone())?;
    let mut events = store.stream(&name, 0).await;
    let Some(last) = events.last().map(|event| event.stream_revision) else {
        let stream_identifier = of.stream_identifier;
        let absent = Content::StreamNotFound(read_resp::StreamNotFound { stream_identifier });
        return Ok(answers([absent]));
    };
    let from = match of.revision_option {
        Some(RevisionOption::Revision(revision)) if i64::try_from(revision).is_err() => {
            return Err(Status::unknown("Value was either too large or too small for an Int64."));
        }
        Some(RevisionOption::Revision(revision)) => revision,
        Some(RevisionOption::End(_)) => last,
        Some(RevisionOption::Start(_)) | None => 0,
    };
    if backwards {
        events.retain(|event| event.stream_revision <= from);
        events.reverse();
    } else {
        events.retain(|event| event.stream_revision >= from);
    }
    events.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    let mut contents: Vec<_> = events.into_iter().map(content).collect();
    contents.push(Content::LastStreamPosition(last));
    Ok(answers(contents))
}

async fn read_all(
    store: &Store,
    all: &AllOptions,
    count: u64,
    backwards: bool,
    filter: Selection,
) -> Result<Answers, Status> {
    let end = store.head().await.map_or(0, |head| head + 1);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let events = if backwards {
        let before = match place(all)? {
            Place::Start => 0,
            Place::At(position) => position,
            Place::End => end,
        };
        store.backwards(before)
    } else {
        let from = match place(all)? {
            Place::Start => 0,
            Place::At(position) => position,
            Place::End => end,
        };
        let told = store.follow(from.checked_sub(1)).await;
        let so_far = told.take_while(|told| {
            let more = matches!(told, Told::Event(_));
            async move { more }
        });
        so_far
            .filter_map(async |told| match told {
                Told::Event(event) => Some(*event),
                Told::CaughtUp => None,
            })
            .boxed()
    };
    let wanted = events.filter(move |event| {
        let wants = filter.wanted.wants(event);
        async move { wants }
    });
    let contents = wanted.take(count).map(content);
    Ok(contents.map(|content| Ok(ReadResp { content: Some(content) })).boxed())
}

async fn subscribe(store: &Store, all: &AllOptions, filter: Selection) -> Result<Answers, Status> {
    let head = store.head().await;
    let after = match place(all)? {
        Place::Start => None,
        Place::End => head,
        // A position that the server never gave out is refused, as a real one does.
        Place::At(position) if Some(position) > head => {
            return Err(Status::invalid_argument("Invalid Position"));
        }
        Place::At(position) => Some(position),
    };
    let told = store.follow(after).await;
    let mut passed_over = 0;
    let mut last = None;
    let contents = told.filter_map(move |told| {
        let content = match told {
            Told::CaughtUp => Some(caught_up(last)),
            Told::Event(event) => {
                last = Some(event.commit_position);
                if filter.wanted.wants(&event) {
                    passed_over = 0;
                    Some(content(*event))
                } else {
                    passed_over += 1;
                    (passed_over % filter.interval == 0).then(|| checkpoint(event.commit_position))
                }
            }
        };
        async move { content }
    });
    let confirmation = Content::Confirmation(read_resp::SubscriptionConfirmation {
        subscription_id: "the double's".to_owned(),
    });
    let contents = stream::iter([confirmation]).chain(contents);
    // A subscription does not end: the client would not notice that it has.
    let contents = contents.chain(stream::pending());
    Ok(contents.map(|content| Ok(ReadResp { content: Some(content) })).boxed())
}

enum Place {
    Start,
    At(u64),
    End,
}

/// Says which of the log's positions is meant.
fn place(all: &AllOptions) -> Result<Place, Status> {
    Ok(match all.all_option {
        Some(AllOption::Position(position)) if position.commit_position == 0 => Place::Start,
        Some(AllOption::Position(position)) if position.commit_position == u64::MAX => Place::End,
        Some(AllOption::Position(position)) => {
            if position.prepare_position != position.commit_position {
                return Err(Status::invalid_argument("Invalid Position"));
            }
            let at = inward(position.commit_position);
            Place::At(at.ok_or_else(|| Status::invalid_argument("Invalid Position"))?)
        }
        Some(AllOption::End(_)) => Place::End,
        Some(AllOption::Start(_)) | None => Place::Start,
    })
}

/// Which events are wanted, and after how many others a checkpoint is told.
struct Selection {
    wanted: Wanted,
    interval: u32,
}

impl Selection {
    fn new(option: Option<FilterOption>) -> Result<Self, Status> {
        let Some(FilterOption::Filter(options)) = option else {
            return Ok(Self { wanted: Wanted::Everything, interval: u32::MAX });
        };
        let FilterOptions { filter, window, checkpoint_interval_multiplier } = options;
        let wanted = match filter {
            Some(Filter::StreamIdentifier(expression)) => {
                Wanted::Streams(Pattern::new(expression)?)
            }
            Some(Filter::EventType(expression)) => Wanted::Types(Pattern::new(expression)?),
            None => return Err(Status::invalid_argument("a filter says what it wants")),
        };
        let window = match window {
            Some(Window::Max(max)) => max,
            Some(Window::Count(_)) | None => WINDOW,
        };
        let interval = window.saturating_mul(checkpoint_interval_multiplier).max(1);
        Ok(Self { wanted, interval })
    }
}

fn answers(contents: impl IntoIterator<Item = Content>) -> Answers {
    let contents: Vec<_> = contents.into_iter().collect();
    stream::iter(contents).map(|content| Ok(ReadResp { content: Some(content) })).boxed()
}

fn content(event: WireEvent) -> Content {
    let position = Some(read_event::Position::CommitPosition(event.commit_position));
    Content::Event(ReadEvent { event: Some(event), link: None, position })
}

fn caught_up(last: Option<u64>) -> Content {
    let position = last.map(|position| read_resp::Position {
        commit_position: position,
        prepare_position: position,
    });
    let timestamp = Some(prost_types::Timestamp::default());
    Content::CaughtUp(read_resp::CaughtUp { timestamp, stream_revision: None, position })
}

fn checkpoint(position: u64) -> Content {
    Content::Checkpoint(read_resp::Checkpoint {
        commit_position: position,
        prepare_position: position,
        timestamp: Some(prost_types::Timestamp::default()),
    })
}
