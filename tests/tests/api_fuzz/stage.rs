//! One house for all cases, and what is valid in it.

use std::{fs, num::NonZeroU32, time::Duration};

use countersign::serve::FIRST_KEY_FILE;
use countersign_core::Timestamp;
use countersign_proto::admin::{FactorSettings, ListApiKeysRequest, SetFactorSettingsRequest};
use countersign_service::limits::{Limits, Rate};
use countersign_tests::{House, Phone, Tenant, schema::Rpc};
use prost_reflect::{EnumDescriptor, FieldDescriptor};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::calling::Operator;

/// Whose users are enrolled and challenged.
const USERS: &str = "acme";
/// Whose settings are changed.
const SETTINGS: &str = "beta";
/// Which is created and erased.
const CREATED: &str = "gamma";

pub(crate) struct Stage {
    house: House,
    pub(crate) operator: Operator,
    users: Tenant,
    challenged: Phone,
    enrolled: Phone,
    key_id: String,
    cases: u32,
}

/// What is valid in one case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    pub(crate) tenant: &'static str,
    user_id: String,
    authenticator_id: String,
    challenge_id: String,
    code: String,
    key_id: String,
    now: Timestamp,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        // More is begun for one user than users begin.
        let [one, many] = [1, 1_000_000].map(|number| NonZeroU32::new(number).unwrap());
        let limits = Limits { user: Rate::new(many, one, many).unwrap(), ..Limits::default() };
        let house = House::limited(limits).await;
        let users = house.tenant(USERS).await;
        let settings = house.tenant(SETTINGS).await;
        // Memory-hard hashes take their time.
        let few_codes = FactorSettings {
            kind: "recovery_code".to_owned(),
            recovery_code_count: 4,
            ..Default::default()
        };
        let request = SetFactorSettingsRequest { settings: Some(few_codes), ..Default::default() };
        users.admin.admin().set_factor_settings(request).await.unwrap();
        let listed = settings.admin.admin().list_api_keys(ListApiKeysRequest {}).await.unwrap();
        let key = fs::read_to_string(house.data_dir().join(FIRST_KEY_FILE)).unwrap();
        Self {
            operator: Operator { channel: house.channel(), key: key.trim().to_owned() },
            challenged: users.enrol("challenged@example.com").await,
            enrolled: users.enrol("enrolled@example.com").await,
            key_id: listed.into_inner().api_keys[0].key_id.clone(),
            cases: 0,
            house,
            users,
        }
    }

    /// Makes ready what a case of `rpc` needs: whatever earlier cases did, a valid request gets far.
    pub(crate) async fn prepare(&mut self, rpc: &Rpc) -> Values {
        self.cases += 1;
        let (mut user_id, mut phone) = ("enrolled@example.com".to_owned(), self.enrolled.clone());
        let mut challenge_id = String::new();
        match (rpc.0.parent_service().name(), rpc.0.name()) {
            ("ChallengeService", _) => {
                // Past any pause that wrong codes have earned, and with a code that is not used yet.
                self.house.clock.advance(Duration::from_secs(3_630));
                user_id = "challenged@example.com".to_owned();
                challenge_id = self.users.challenge(&user_id).await.challenge_id;
                phone = self.challenged.clone();
            }
            ("EnrollmentService", "ConfirmEnrollment" | "RemoveAuthenticator") => {
                user_id = format!("user-{}@example.com", self.cases);
                phone = self.users.start_enrollment(&user_id).await.1;
            }
            // Nothing would be left of the others' user.
            ("EnrollmentService", "EraseUser") => {
                user_id = format!("user-{}@example.com", self.cases);
            }
            _ => {}
        }
        let is_admin = rpc.0.parent_service().name() == "AdminService";
        let tenant = match rpc.0.name() {
            // Nothing would be left of the others' tenant.
            "EraseTenant" => CREATED,
            _ if is_admin => SETTINGS,
            _ => USERS,
        };
        Values {
            tenant,
            user_id,
            challenge_id,
            code: phone.code(self.house.now()),
            authenticator_id: phone.authenticator_id,
            key_id: self.key_id.clone(),
            now: self.house.now(),
        }
    }

    /// Fails if the server does not say that it is well.
    pub(crate) async fn assert_serving(&self) {
        let mut health = HealthClient::new(self.house.channel());
        let answer = health.check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    }

    pub(crate) async fn clear(self) {
        drop(self.house.stop().await);
    }
}

impl Values {
    /// Returns valid texts of a field, the plainest first.
    pub(crate) fn texts(&self, field: &FieldDescriptor) -> Vec<String> {
        let valid: &[&str] = match field.name() {
            "request_id" => &["", "request-1", "request-2"],
            "user_id" => &[&self.user_id],
            "authenticator_id" => &[&self.authenticator_id],
            "challenge_id" => &[&self.challenge_id],
            "code" => &[&self.code, "000000"],
            "key_id" => &[&self.key_id],
            "sign_in_id" | "delivery_id" | "approval_id" => {
                &["0190163d-8694-739b-aea5-966c26f8ad91"]
            }
            "application_id" => &["vpn"],
            "organisation_id" if field.parent_message().name() == "CreateOrganisationRequest" => {
                &["north"]
            }
            "organisation_id" => &[""],
            "allowed_addresses" => &["203.0.113.0/24", "2001:db8::7"],
            "tenant_id" => &[CREATED, SETTINGS],
            "kind" => &["totp", "recovery_code"],
            "display_name" => &["Mobile phone"],
            "account_name" => &["The account"],
            "reason" => &["reported lost"],
            "page_token" => &["", "1"],
            "newest_kid" => &["", "nobody"],
            "event_types" => &["ChallengeIssued"],
            "ip_address" | "client_address" => &["203.0.113.7", "2001:db8::7"],
            "user_agent" => &["Browser/1.0"],
            "device_id" => &["device-1"],
            "resource" => &["/documents"],
            _ => panic!("{}: say here what is valid", field.full_name()),
        };
        valid.iter().map(|text| (*text).to_owned()).collect()
    }

    /// Returns valid numbers of an enum.
    pub(crate) fn enum_numbers(&self, list: &EnumDescriptor) -> Vec<i32> {
        // A tenant's key cannot have the role of the installation.
        let is_refused =
            |name: &str| name == "ROLE_PLATFORM_ADMIN" || name.ends_with("_UNSPECIFIED");
        let valid = list.values().filter(|value| !is_refused(value.name()));
        valid.map(|value| value.number()).collect()
    }

    /// Returns a valid number of a field.
    pub(crate) fn number(field: &FieldDescriptor) -> u32 {
        if field.name() == "approvers" { 2 } else { 0 }
    }

    /// Returns a valid instant of a field.
    pub(crate) fn instant(&self, field: &FieldDescriptor) -> (i64, i32) {
        match field.name() {
            "from_time" => (1_500_000_000, 0),
            "starts_at" => (self.now.unix_seconds() + 3_600, 0),
            _ => (2_500_000_000, 0),
        }
    }

    /// Returns a valid length of time of a field.
    pub(crate) fn duration(&self, field: &FieldDescriptor) -> (i64, i32) {
        let is_of_a_pass = field.name() == "longest_access_pass"
            || ["IssueTemporaryAccessPassRequest", "BreakGlassRequest"]
                .contains(&field.parent_message().name());
        if is_of_a_pass { (600, 0) } else { (60, 0) }
    }
}
