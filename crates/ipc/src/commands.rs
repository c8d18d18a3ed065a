//! The list of commands.

/// Hands the whole list of commands to the macro named `$then`, as `name(argument: Type, …) -> Type;` items.
///
/// Every command is asynchronous and fails with [`crate::UserError`]. `subscribe` takes the channel on which [`crate::Event`]s arrive; it
/// is not in the list because its argument exists only on the shell's side as a channel, but its name is in [`COMMANDS`].
#[macro_export]
macro_rules! for_each_command {
    ($then:ident) => {
        $then! {
            /// Asks for all that the first frame needs: an [`crate::Event::Bootstrap`] follows, in its place among the other events.
            bootstrap() -> ();
            /// Starts a sign-in and opens the system browser. A second call while one is waiting starts another attempt.
            sign_in() -> ();
            /// Opens the browser again at the page of the waiting attempt.
            reopen_browser() -> ();
            /// Completes a sign-in with the address that the browser could not hand over by itself.
            paste_callback(link: String) -> ();
            /// Gives up the waiting attempt.
            cancel_sign_in() -> ();
            /// The address of the page of the waiting attempt, to be opened in another browser. It has `state` and `nonce`, and nothing that is
            /// secret.
            sign_in_link() -> String;
            /// Opens the browser once more, and lets it come back by way of an address on this computer: for systems that do not open our links.
            sign_in_by_loopback() -> ();
            /// Revokes, forgets and closes everything of the account in use; the others stay. `browser`: the tenant's page that ends the browser's
            /// own session is opened too, where there is one.
            sign_out(browser: bool) -> ();
            /// Looks again who is signed in where. What is news follows as [`crate::Event::Accounts`].
            look_at_accounts() -> ();
            /// Goes to another account or agent: an [`crate::Event::Bootstrap`] follows. The one before stays signed in.
            switch_account(id: String) -> ();
            /// Begins a sign-in for one more account at the agent in use.
            add_account() -> ();
            /// Forgets the agent of this account or entry, and signs out all accounts there.
            remove_agent(id: String) -> ();
            /// Starts the built-in tenant and agent and makes them the profile in use.
            use_sandbox() -> ();
            /// Finds out what there is to know of the agent at this address, and makes it the profile in use. `client_id`: for tenants that do not
            /// let apps register themselves.
            add_agent(address: String, client_id: Option<String>) -> ();
            /// Asks the keychain again after it was locked or missing.
            retry_keychain() -> ();
            /// Makes a new, empty conversation and opens it; its id comes back.
            new_conversation() -> String;
            /// Opens a conversation: its [`crate::ThreadView`] follows as an event, then its updates. The one open before is left.
            open_conversation(conversation: String) -> ();
            /// Forgets a conversation on this computer. The agent's copy is untouched.
            forget_conversation(conversation: String) -> ();
            /// Keeps an unsent text for the next start. `conversation`: none for the one that is yet to begin. `message`: the sent one that is being
            /// put in other words, if it is that. `seat`: whose it is, as in [`crate::Bootstrap`]. An empty one is none.
            keep_draft(seat: Option<String>, conversation: Option<String>, message: Option<String>, text: String) -> ();
            /// Sends a text; the id of its message comes back once the message is safe from loss in the shell.
            send_message(conversation: String, text: String) -> String;
            /// Sends a failed message again.
            retry_message(conversation: String, message: String) -> ();
            /// Drops a failed message.
            discard_message(conversation: String, message: String) -> ();
            /// Has an answer written again, with everything behind it gone; for a message of the user's, has it answered. Comes back when the
            /// agent has the request.
            regenerate_message(conversation: String, message: String) -> ();
            /// Puts other words into a message of the user's and has it answered; everything behind it is gone. Comes back when the agent has it; until
            /// then they are kept as the message's unsent text.
            edit_message(conversation: String, message: String, text: String) -> ();
            /// Empties a conversation at the agent, for everybody. Comes back when the agent has.
            clear_conversation(conversation: String) -> ();
            /// Stops the running turn at the agent.
            cancel_turn(conversation: String) -> ();
            /// Decides on one tool call.
            decide(conversation: String, tool_call: String, approved: bool) -> ();
            /// Connects the account that a stopped tool call needs: opens the page in the system browser, waits for the person, and has the call go on.
            /// Comes back when it goes on, or when that has come to nothing.
            connect_account(conversation: String, tool_call: String) -> ();
            /// Gives up every account that is being connected.
            cancel_connect() -> ();
            /// Has a stopped tool call go on, because the person has done what it waits for.
            resume_call(conversation: String, tool_call: String) -> ();
            /// The accounts that are connected at the tenant.
            connected_accounts() -> Vec<$crate::ConnectedAccount>;
            /// Disconnects one of them.
            disconnect_account(account: $crate::ConnectedAccount) -> ();
            /// Opens the system browser to let the agent of this conversation have what it asks for beyond what was granted.
            step_up(conversation: String) -> ();
            /// Opens the page in the system browser at which a person lets the agent in at a server of tools.
            open_tool_server(conversation: String, server: String) -> ();
            /// Connects at once instead of waiting for the next try.
            reconnect(conversation: String) -> ();
            /// Opens a link from a message in the system browser, if its scheme is http, https or mailto.
            open_link(url: String) -> ();
            /// Keeps the user's choice of theme and language.
            set_preferences(preferences: $crate::Preferences) -> ();
        }
    };
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        /// The names of all commands, `subscribe` included.
        pub const COMMANDS: &[&str] = &["subscribe", $(stringify!($name)),*];
    };
}
for_each_command!(names);
