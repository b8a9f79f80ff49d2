//! NotificationService on the wire.

mod convert;
mod read;

use std::sync::Arc;

use countersign_proto::notification as wire;
use countersign_service::Foundation;

use crate::Deliveries;

/// NotificationService over a foundation.
#[derive(Debug)]
pub struct NotificationApi {
    foundation: Arc<Foundation>,
    deliveries: Arc<Deliveries>,
}

impl NotificationApi {
    pub(crate) const fn new(foundation: Arc<Foundation>, deliveries: Arc<Deliveries>) -> Self {
        Self { foundation, deliveries }
    }
}

countersign_service::rpcs! {
    NotificationApi as wire::notification_service_server::NotificationService {
        get_delivery(wire::GetDeliveryRequest) -> wire::GetDeliveryResponse
            = "GetDelivery" by handle_get;
        list_deliveries(wire::ListDeliveriesRequest) -> wire::ListDeliveriesResponse
            = "ListDeliveries" by handle_list;
    }
}
