# What the window says, in English. Short sentences; what happened first, what to do second.

## Starting and signing in

starting = Getting your sign-in from the keychain …
sign-in-heading = Sign in to { $name }
sign-in-heading-sandbox = Sign in to the sandbox
sign-in-heading-none = No agent yet
sign-in-lead = This opens your browser. Callbox never sees your password.
sign-in-lead-none = Talk to an agent of your own by its address, or try the one that is built in.
sign-in-note = You are asked before the agent uses any tool that needs your word.
sandbox-note = The sandbox is a sign-in page and an agent inside this app. It needs no account and no network.
add-agent = Another agent …
agent-address-label = The agent’s address
agent-client-id-label = Client id at its sign-in server
agent-submit = Continue
agent-looking = Asking the agent where it signs people in …
provenance = How this was found
step-challenged = The agent asked for a token ({ $detail }).
step-resource = What the agent says of itself: { $detail }
step-also-named = It also trusts { $detail }, which was not chosen.
step-tenant = What its sign-in server says of itself: { $detail }
step-bound = Tokens are bound to this computer: both the agent and the server say so.
step-registered = That server has registered this app, which it sends back to { $detail }
step-client-given = You have brought the client id.
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
copy-link = Copy the link
by-loopback = Open it once more, and come back another way
waiting-help = Nothing happens?
waiting-help-closed = You have closed the page.
waiting-help-closed-then = Open it again, or copy the link into another browser.
waiting-help-confirm = The page asks whether you want to go on to Callbox.
waiting-help-confirm-then = That is the sign-in server making sure that it is you. Agree, if you have started this sign-in.
waiting-help-declined = You said no, and the page stays where it is.
waiting-help-declined-then = Some servers send nobody back after a no. Cancel here.
waiting-help-error = The page says that something went wrong.
waiting-help-error-then = The sign-in server does not know this app as it is set up. Give its words to whoever runs the agent.
waiting-help-stuck = The page says that you are done, and your browser does not open Callbox.
waiting-help-stuck-then = Come back another way, or paste the address that it could not open.
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
other-accounts = Go on with another account
account-none = not signed in
add-account = Add another account
new-agent = Add an agent
new-agent-lead = Type its address. You stay signed in where you are.
remove-agent = Remove { $agent }; accounts there are signed out
remove = Remove?
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
sign-out-question-several = Sign out? This account’s sign-in and its list of conversations leave this computer. The agent keeps its own copy, and your other accounts stay.
sign-out-browser = End the sign-in in my browser too
sign-out-question = Sign out? Your sign-in and the list of conversations leave this computer. The agent keeps its own copy.

## Connection

link-connecting = Connecting …
link-online = Connected
link-offline = Not connected
link-sign-in = Sign-in needed
link-refused = Refused
link-more-wanted = More wanted
link-closed = Closed
reconnect = Connect now
retry-in = Trying again in { $seconds } s.
retry-now = Trying again …
trouble-sign-in = Your sign-in has ended. Sign in to go on.
trouble-more-wanted = The agent wants more than you have granted. This is what is new:
trouble-more-untold = The agent wants more than you have granted, and does not say what, or you have granted it already. Ask whoever runs it.
grant-more = Continue in the browser
add-again = Add the agent again
trouble-closed = The connection was closed.
tool-server-closed = { $name } wants you to let the agent in, at { $host }.

## Messages

messages = Messages
you = You
agent = Agent
system = System
copy = Copy
copied = Copied
table = Table
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
regenerate = Answer again
answer-again = Try again
edit-message = Edit
editor-label = Your message
editor-note = It is answered anew. What follows it is deleted.
editor-send = Send
clear-conversation = Clear the conversation
clear-conversation-sure = Delete all messages?
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
tool-approved = approved
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
tool-interrupted = It needs something of you first.
tool-refusal-hint = The tool said nothing but “Unauthorized”. It probably means that you may not use it; that is a guess.
account-wanted = { $agent } needs your account at { $service }
account-wanted-lead = You decide in your browser, at { $host }. Nothing is connected before.
account-wanted-at = wants to use
account-wanted-scopes = This is what it will be allowed:
account-wanted-no-scopes = It does not say what for.
account-connecting = Finish in your browser. Callbox goes on by itself.
account-connected = Connected. The agent goes on …
connect-account = Connect
connected-accounts = Connected accounts
connected-looking = Asking your sign-in server …
connected-none = No account is connected.
disconnect-account = Disconnect { $service }
approval-waiting = { $agent } waits for your approval on your phone
approval-waiting-lead = Open the notification there. Approve it only if it shows the same words as this card.
approval-over = Nobody has approved it in time
approval-over-lead = The request has most likely expired, by the clock of this computer.
approval-denied = The approval was denied
approval-denied-lead = Nothing was done.
approval-expired = The request for approval has expired
approval-expired-lead = Nothing was done.
approval-denied-or-expired = The approval was denied, or took too long
approval-denied-or-expired-lead = The sign-in server does not say which. Nothing was done.
approval-no-device = You have no phone that can be asked
approval-no-device-lead = Set up the sign-in server’s app on your phone, then ask again.
approval-invalid = The request for approval is no longer known
approval-invalid-lead = Nothing was done.
approval-binding = Your phone has to show:
approval-left = { $time } left
approval-given = I have approved it
approval-again = Ask again
interrupt-unknown = { $agent } needs something that Callbox does not know
interrupt-unknown-lead = Use the agent’s own web app for it.
scope-profile = Know who you are
scope-email = Know your email address
scope-offline = Go on when you are away
scope-chat = Talk to the agent for you
scope-calendar-read = Read your calendar
scope-calendar-write = Read and change your calendar
scope-contacts-read = Read your contacts
scope-mail-read = Read your mail
scope-mail-send = Send mail in your name
scope-files-read = Read your files
scope-files-write = Read and change your files
scope-code-write = Read and change your code
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
composer-busy = The agent is at work. Esc stops it
composer-opening = Opening the conversation …
composer-sign-in = Sign in again to write here.
composer-more-wanted = Grant what the agent asks for above, then write here.
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

## Errors. The shell says its own in English; these are the window's.

error-unknown = Something went wrong ({ $code }). Try again.
error-edit-homeless = The message that you were putting in other words is gone. What you had written stands in the box below.
error-shell-unreadable = The window and the app do not understand each other. Restart Callbox; if that does not help, install it again.
