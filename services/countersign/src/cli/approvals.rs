//! `countersign approvals`: what others asked for and may not do alone.

use clap::Subcommand;
use countersign_proto::admin::{
    Approval, ApprovalState, ApproveRequestRequest, DeclineRequestRequest, GetApprovalRequest,
    ListApprovalsRequest, WithdrawRequestRequest,
};

use super::{
    Connection, Failure, Screen, every_page, fresh_request_id, global::Global, screen::table_of,
    when::to_the_second, words::word,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what waits to be approved or done, the newest first
    List {
        /// List what is over, too
        #[arg(long)]
        all: bool,
    },
    /// Show one with who approved it
    Show {
        /// Its id
        id: String,
    },
    /// Approve what somebody else asked for
    Approve {
        /// Its id
        id: String,
    },
    /// Decline what somebody else asked for, which ends it
    Decline {
        /// Its id
        id: String,
        /// Why, for the audit; no personal data
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Take back what you asked for
    Withdraw {
        /// Its id
        id: String,
    },
}

const APPROVAL: &str = "countersign.admin.v1.Approval";

pub(crate) async fn run(args: Args, global: &Global, screen: &mut Screen) -> Result<(), Failure> {
    let connection = Connection::open(global).await?;
    let approval = match args.command {
        Command::List { all } => {
            let mut listed = list(&connection).await?;
            listed.retain(|approval| all || is_open(approval));
            if screen.wants_json() {
                return listed.iter().try_for_each(|one| screen.json(APPROVAL, one));
            }
            return print_all(&listed, screen);
        }
        Command::Show { id } => {
            let request = GetApprovalRequest { approval_id: id };
            let response = connection.admin().get_approval(request).await;
            response.map_err(Failure::refused("looking it up"))?.into_inner().approval
        }
        Command::Approve { id } => {
            let request = ApproveRequestRequest { request_id: fresh_request_id(), approval_id: id };
            let response = connection.admin().approve_request(request).await;
            response.map_err(Failure::refused("approving it"))?.into_inner().approval
        }
        Command::Decline { id, reason } => {
            let request =
                DeclineRequestRequest { request_id: fresh_request_id(), approval_id: id, reason };
            let response = connection.admin().decline_request(request).await;
            response.map_err(Failure::refused("declining it"))?.into_inner().approval
        }
        Command::Withdraw { id } => {
            let request =
                WithdrawRequestRequest { request_id: fresh_request_id(), approval_id: id };
            let response = connection.admin().withdraw_request(request).await;
            response.map_err(Failure::refused("withdrawing it"))?.into_inner().approval
        }
    };
    let approval = approval.unwrap_or_default();
    if screen.wants_json() {
        return screen.json(APPROVAL, &approval);
    }
    print_one(&approval, screen)
}

async fn list(connection: &Connection) -> Result<Vec<Approval>, Failure> {
    every_page(async |page_token| {
        let response = connection
            .admin()
            .list_approvals(ListApprovalsRequest { page_size: 0, page_token })
            .await;
        let page = response.map_err(Failure::refused("listing approvals"))?.into_inner();
        Ok((page.approvals, page.next_page_token))
    })
    .await
}

fn is_open(approval: &Approval) -> bool {
    matches!(
        approval.state(),
        ApprovalState::Pending | ApprovalState::Waiting | ApprovalState::Ready
    )
}

fn state_word(approval: &Approval) -> String {
    word(approval.state().as_str_name(), "APPROVAL_STATE_")
}

fn act_word(approval: &Approval) -> String {
    word(approval.act().as_str_name(), "DANGEROUS_ACT_")
}

/// Returns how many of those who must have approved.
fn counted(approval: &Approval) -> String {
    format!("{} of {}", approval.given.len(), approval.approvers)
}

fn print_all(approvals: &[Approval], screen: &mut Screen) -> Result<(), Failure> {
    let mut table = table_of(&["approval!", "act", "user", "asked by", "approved", "state"]);
    for approval in approvals {
        table.add_row([
            approval.approval_id.clone(),
            act_word(approval),
            approval.user_id.clone(),
            approval.requester.clone(),
            counted(approval),
            state_word(approval),
        ]);
    }
    screen.table(&table, "nothing waits to be approved")
}

fn print_one(approval: &Approval, screen: &mut Screen) -> Result<(), Failure> {
    let mut table = table_of(&["", ""]);
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            table.add_row([name.to_owned(), value]);
        }
    };
    row("approval", approval.approval_id.clone());
    row("act", act_word(approval));
    row("call", approval.method.clone());
    row("user", approval.user_id.clone());
    for (name, value) in &approval.details {
        row(name, value.clone());
    }
    row("asked by", approval.requester.clone());
    row("asked at", to_the_second(approval.requested_at.as_ref()));
    row("approved", counted(approval));
    for given in &approval.given {
        row("", format!("{} {}", to_the_second(given.given_at.as_ref()), given.approver));
    }
    if approval.not_before.is_some() {
        row("not before", to_the_second(approval.not_before.as_ref()));
    }
    row("expires", to_the_second(approval.expires_at.as_ref()));
    row("state", state_word(approval));
    row("declined by", approval.decliner.clone());
    row("because", approval.decline_reason.clone());
    screen.table(&table, "")
}
