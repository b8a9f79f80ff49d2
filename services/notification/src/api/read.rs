//! `GetDelivery` and `ListDeliveries`.

use countersign_core::DeliveryId;
use countersign_proto::notification as wire;
use countersign_service::{ApiError, Reason, Scope, fields, paging::Page};

use super::{NotificationApi, convert};
use crate::course::Course;

impl NotificationApi {
    pub(super) async fn handle_get(
        &self,
        scope: &Scope,
        message: wire::GetDeliveryRequest,
    ) -> Result<wire::GetDeliveryResponse, ApiError> {
        let tenant = scope.tenant()?;
        let id = fields::field("delivery_id", DeliveryId::parse(&message.delivery_id))?;
        let course = Course::read(&self.foundation.log, tenant, id).await?;
        let course = course.ok_or_else(|| ApiError::new(Reason::DeliveryNotFound))?;
        Ok(wire::GetDeliveryResponse { delivery: Some(convert::delivery(course)) })
    }

    pub(super) async fn handle_list(
        &self,
        scope: &Scope,
        message: wire::ListDeliveriesRequest,
    ) -> Result<wire::ListDeliveriesResponse, ApiError> {
        let tenant = scope.tenant()?;
        let page = Page::of(message.page_size, &message.page_token)?;
        let (courses, next_page_token) = self.deliveries.newest(tenant, page).await;
        let deliveries = courses.into_iter().map(convert::delivery).collect();
        Ok(wire::ListDeliveriesResponse { deliveries, next_page_token })
    }
}
