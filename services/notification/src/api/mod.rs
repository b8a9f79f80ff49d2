//! NotificationService on the wire.

mod convert;
mod read;

use std::sync::Arc;

use countersign_proto::notification as wire;
use countersign_service::{ApiError, Foundation, Scope, to_status};
use tonic::{Request, Response, Status};

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

/// Implements the generated trait by the method of the same name that each RPC's file adds.
macro_rules! rpcs {
    ($($rpc:ident($request:ident) -> $response:ident = $method:literal by $handler:ident;)+) => {
        #[tonic::async_trait]
        impl wire::notification_service_server::NotificationService for NotificationApi {
            $(async fn $rpc(
                &self,
                request: Request<wire::$request>,
            ) -> Result<Response<wire::$response>, Status> {
                let answer = async {
                    let scope = Scope::of(&request, $method, &self.foundation)?;
                    self.$handler(&scope, request.into_inner()).await
                };
                answer.await.map(Response::new).map_err(|error: ApiError| to_status(&error))
            })+
        }
    };
}

rpcs! {
    get_delivery(GetDeliveryRequest) -> GetDeliveryResponse = "GetDelivery" by handle_get;
    list_deliveries(ListDeliveriesRequest) -> ListDeliveriesResponse = "ListDeliveries" by handle_list;
}
