//! Translation between the wire's words and ours.

use countersign_domain::wire::timestamp_to_wire;
use countersign_proto::notification as wire;

use crate::course::{Course, End};

/// Shows a delivery. The provider is shown only if it took the message.
pub(super) fn delivery(course: Course) -> wire::Delivery {
    let finished_at = course.end.as_ref().map(|end| timestamp_to_wire(end.at));
    let (status, provider, failure) = match course.end {
        None => (wire::DeliveryStatus::Requested, String::new(), String::new()),
        Some(End { provider, failure: None, .. }) => {
            (wire::DeliveryStatus::Sent, provider.into(), String::new())
        }
        Some(End { failure: Some(failure), .. }) => {
            (wire::DeliveryStatus::Failed, String::new(), failure)
        }
    };
    wire::Delivery {
        delivery_id: course.id.to_string(),
        status: status.into(),
        template: course.template.into(),
        provider,
        requested_at: Some(timestamp_to_wire(course.requested_at)),
        finished_at,
        failure,
    }
}
