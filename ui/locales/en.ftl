# What the window says, in English. Short sentences; what happened first, what to do second.

## Starting and signing in

starting = Getting your sign-in from the keychain …
sign-in-heading = Sign in to { $name }
sign-in-heading-sandbox = Sign in to the sandbox
sign-in-heading-none = No agent yet
sign-in-lead = This opens your browser. Callbox never sees your password.
sign-in-lead-none = Add a profile to talk to an agent of your own, or try the one that is built in.
sign-in-note = You are asked before the agent uses any tool that needs your word.
sandbox-note = The sandbox is a sign-in page and an agent inside this app. It needs no account and no network.
tenant-host = Signs you in
agent-host = Agent
sign-in = Sign in
try-sandbox = Try the sandbox
waiting-heading-preparing = Opening your browser …
waiting-heading = Finish in your browser
waiting-heading-exchanging = Signing you in …
waiting-lead-preparing = Asking { $host } for its sign-in page.
waiting-lead = Sign in at { $host }. Callbox comes back by itself.
waiting-lead-exchanging = Your browser has handed over. Just a moment.
reopen = Open the page again
paste-link = Paste the link instead
paste-label = The address that your browser could not open
paste-submit = Continue
cancel = Cancel

## Conversations

conversations = Conversations
conversations-none = Nothing yet. Say something to begin.
new-conversation = New conversation
conversation-untitled = New conversation
forget-conversation = Forget “{ $title }” on this computer
forget = Forget?
age-now = now
age-minutes = { $count } min
age-hours = { $count } h
age-yesterday = yesterday
age-days = { $count ->
    [one] { $count } day
   *[other] { $count } days
}

## Account

account = Account
theme = Theme
theme-system = System
theme-light = Light
theme-dark = Dark
language = Language
language-system = System
storage-keychain = Your sign-in is kept in the system’s keychain.
storage-session-only = Your sign-in lasts until you quit.
retry-keychain = Try the keychain again
sign-out = Sign out
sign-out-question = Sign out? Your sign-in and the list of conversations leave this computer. The agent keeps its own copy.

## Connection

link-connecting = Connecting …
link-online = Connected
link-offline = Not connected
link-sign-in = Sign-in needed
link-refused = Refused
link-closed = Closed
reconnect = Connect now
retry-in = Trying again in { $seconds } s.
retry-now = Trying again …
trouble-sign-in = Your sign-in has ended. Sign in to go on.
trouble-closed = The connection was closed.

## Messages

messages = Messages
you = You
agent = Agent
system = System
copy = Copy
copied = Copied
task-done = done
task-open = open
link-opens = Opens { $host } in your browser
link-blocked = Not opened: only web and mail addresses are.
file-unnamed = File
reasoning-now = Thinking …
reasoning-done = Thoughts
delivery-queued = Waiting for the connection
delivery-sending = Sending …
retry-message = Send again
discard-message = Discard
turn-waiting = The agent is at work.
turn-recovering = The agent was interrupted and is picking up again …
turn-interrupted = The answer broke off. It goes on when the connection is back.
turn-resuming = Picking the answer up again …
jump-to-latest = Jump to latest
welcome = { $agent } is listening
welcome-lead = Ask something, or give it something to do. You are asked before it acts.
welcome-sandbox = Everything here runs inside this app. The time comes at once; for the weather you are asked first.
suggestion-time = What time is it?
suggestion-weather = What’s the weather in Paris?
suggestion-list = Show me some Markdown
suggestion-abilities = What can you do?
suggestion-start = What tools do you have?

## Tools and approvals

tool-preparing = preparing
tool-waiting = waits for you
tool-approving = approved, on its way
tool-denying = denied, on its way
tool-running = running
tool-done = done
tool-failed = failed
tool-denied = denied
tool-stopped = not finished
tool-input = Input
tool-output = Result
tool-error = Error
tool-reason = Reason
arguments-none = No arguments.
bytes = { $bytes } bytes
approval-label = May the agent use { $tool }?
approval-question = { $agent } asks to use a tool
approval-explanation = It waits until you decide. This is all that it will be given:
approval-waits = The agent waits for your decision
approve = Approve
deny = Deny
warning-tool-name = The tool’s name
warning-place = “{ $place }”
warning-direction = { $place } has characters that turn the direction of the text around. What you see may not be what is sent.
warning-hidden = { $place } has { $count ->
    [one] { $count } character
   *[other] { $count } characters
} that you would not see. They are marked.
warning-mixed-letters = { $place } has a word, “{ $word }”, that mixes letters of alphabets that look alike.
warning-padding = { $place } has a long stretch of blank space. Look at what comes after it.
warning-encoded-host = { $place } has a host name in an encoded form that can imitate another.
warning-long = { $place } is long: { $bytes } bytes. Read it to its end.
warning-odd-name = The tool’s name has characters that names of tools do not have.
marker-title = { $name } ({ $code })
marker-line-break = Line break
marker-tab = Tab
marker-control = Control character
marker-direction = Changes the direction of the text
marker-zero-width = Takes no room
marker-invisible = Invisible character
marker-tag = Invisible tag character
marker-variation = Variation selector
marker-blank = Unusual blank
marker-private-use = Looks different on every computer
marker-stacked = One more mark on the same letter

## Writing

composer-label = Message
composer-placeholder = Say something …
composer-hint = Enter sends, Shift and Enter begins a new line
composer-busy = The agent is at work. Write on; you can send when it is done, or stop it with Esc.
composer-opening = Opening the conversation …
composer-sign-in = Sign in again to write here.
composer-refused = The agent does not take messages from you here.
composer-closed = The connection is closed. Connect to write here.
send = Send
stop = Stop

## Notices and announcements

notices = Notices
dismiss = Dismiss
live-started = The agent is answering.
live-finished = The answer is complete.
live-asked = The agent asks to use { $tool }. It waits for your decision.

## Errors. The shell sends its own English sentence; these stand in where it sends none.

error-unknown = Something went wrong ({ $code }). Try again.
error-shell-unreadable = The window and the app do not understand each other. Restart Callbox; if that does not help, install it again.
error-tenant-unreachable = The sign-in server could not be reached. Check the network connection.
error-tenant-timed-out = The sign-in server did not answer in time. Try again in a moment.
error-tenant-reply-lost = The connection to the sign-in server broke. Try again in a moment.
error-tenant-rate-limited = The sign-in server asks for a pause. Try again in a moment.
error-tenant-unwell = The sign-in server is not well. Try again in a moment.
error-tenant-intercepted = Something between this computer and the sign-in server answered in its place. Does this network want a sign-in of its own?
error-internal-step-failed = An internal step failed. Try again; if it happens again, please report it.
error-discovery-not-found = No sign-in server answers at this address. Check the issuer in the profile.
error-discovery-insecure = The sign-in server names an address without https. That is not safe to use.
error-sign-in-declined = The sign-in was declined.
error-sign-in-wrong-issuer = The answer came from another sign-in server than the one that was asked. Sign in again.
error-sign-in-code-rejected = The sign-in server did not accept the sign-in that came back from the browser. Sign in again.
error-sign-in-expired = The sign-in took too long. Sign in again.
error-sign-in-cancelled = The sign-in was cancelled.
error-session-closed = The app is closing.
error-signed-out = You are not signed in.
error-link-too-long = That is too long to be the link from your browser. Copy only the address.
error-link-malformed = That is not an address. Copy the whole address from your browser.
error-link-not-ours = That address does not belong to this sign-in. Copy the one that begins with dev.callbox.desktop.
error-link-unknown = That link belongs to another sign-in. Start again, and use the newest page.
error-link-already-used = That link has been used already. Start again if you are not signed in.
error-link-over = That link has expired. Start the sign-in again.
error-keychain-denied = The system’s keychain refused access. Allow Callbox to use it, then try again.
error-keychain-locked = The system’s keychain is locked. Unlock it, then try again.
error-keychain-unavailable = No keychain is available on this system. Start or install one (for example GNOME Keyring or KWallet), then try again.
error-keychain-timed-out = The system’s keychain did not answer. Look for a prompt that asks to unlock it, then try again.
error-keychain-not-used = No keychain is in use in this session. Nothing is kept after it.
error-store-disk-full = The disk is full. Make room, then try again; the change was not kept.
error-store-read-only = The list of conversations may not be written to. Check the permissions of the app’s data folder.
error-store-cannot-open = The list of conversations could not be opened. Check that the app’s data folder exists and that you may use it.
error-store-busy = The list of conversations is in use by another program. Try again in a moment.
error-store-newer = The list of conversations was written by a newer version of the app. Update the app to see it.
error-store-replaced-wrong-key = The list of conversations on this computer is locked with a key that is no longer there. A new list was begun; the conversations themselves are still with the agent.
error-store-replaced-corrupt = The list of conversations on this computer is damaged. A new list was begun; the conversations themselves are still with the agent.
