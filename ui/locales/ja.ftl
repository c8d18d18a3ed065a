# What the window says, in Japanese.

## Starting and signing in

starting = キーチェーンからサインイン情報を読み込んでいます…
sign-in-heading = { $name } にサインイン
sign-in-heading-sandbox = サンドボックスにサインイン
sign-in-heading-none = エージェントがまだありません
sign-in-lead = ブラウザーが開きます。Callbox がパスワードを知ることはありません。
sign-in-lead-none = プロファイルを追加して自分のエージェントと話すか、内蔵のエージェントを試してください。
sign-in-note = 許可が必要なツールは、使われる前に必ず確認を求めます。
sandbox-note = サンドボックスは、アプリに内蔵されたサインインページとエージェントです。アカウントもネットワークも要りません。
tenant-host = サインイン先
agent-host = エージェント
sign-in = サインイン
try-sandbox = サンドボックスを試す
waiting-heading-preparing = ブラウザーを開いています…
waiting-heading = ブラウザーで続けてください
waiting-heading-exchanging = サインインしています…
waiting-lead-preparing = { $host } にサインインページを問い合わせています。
waiting-lead = { $host } でサインインしてください。終わると Callbox に戻ります。
waiting-lead-exchanging = ブラウザーから引き継ぎました。少しお待ちください。
reopen = ページをもう一度開く
paste-link = リンクを貼り付ける
paste-label = ブラウザーで開けなかったアドレス
paste-submit = 続ける
cancel = キャンセル

## Conversations

conversations = 会話
conversations-none = まだ会話はありません。何か話しかけてください。
new-conversation = 新しい会話
conversation-untitled = 新しい会話
forget-conversation = 「{ $title }」をこのコンピューターから消す
forget = 消す?
age-now = 今
age-minutes = { $count } 分前
age-hours = { $count } 時間前
age-yesterday = 昨日
age-days = { $count } 日前

## Account

account = アカウント
theme = テーマ
theme-system = システム
theme-light = ライト
theme-dark = ダーク
language = 言語
language-system = システム
storage-keychain = サインイン情報はシステムのキーチェーンに保存されています。
storage-session-only = サインインは終了するまで有効です。
retry-keychain = キーチェーンをもう一度試す
sign-out = サインアウト
sign-out-question = サインアウトしますか。サインイン情報と会話の一覧がこのコンピューターから消えます。エージェント側の会話は残ります。

## Connection

link-connecting = 接続中…
link-online = 接続済み
link-offline = 未接続
link-sign-in = サインインが必要
link-refused = 拒否されました
link-closed = 切断済み
reconnect = 今すぐ接続
retry-in = { $seconds } 秒後に再試行します。
retry-now = 再試行しています…
trouble-sign-in = サインインの有効期限が切れました。続けるにはサインインしてください。
trouble-closed = 接続が閉じられました。

## Messages

messages = メッセージ
you = あなた
agent = エージェント
system = システム
copy = コピー
copied = コピーしました
task-done = 完了
task-open = 未完了
link-opens = ブラウザーで { $host } を開きます
link-blocked = 開けません。開けるのはウェブとメールのアドレスだけです。
file-unnamed = ファイル
reasoning-now = 考えています…
reasoning-done = 考えたこと
delivery-queued = 接続を待っています
delivery-sending = 送信中…
retry-message = もう一度送る
discard-message = 破棄
turn-waiting = エージェントが作業しています。
turn-recovering = エージェントが中断から再開しています…
turn-interrupted = 回答が途切れました。接続が戻ると続きます。
turn-resuming = 回答の続きを受け取っています…
jump-to-latest = 最新へ移動
welcome = { $agent } が待っています
welcome-lead = 質問や頼みごとをどうぞ。実行する前に確認を求めます。
welcome-sandbox = すべてこのアプリの中で動きます。時刻はすぐに答え、天気は先に許可を求めます。
suggestion-time = What time is it?
suggestion-weather = What’s the weather in Paris?
suggestion-list = Show me some Markdown
suggestion-abilities = 何ができますか。
suggestion-start = どんなツールが使えますか。

## Tools and approvals

tool-preparing = 準備中
tool-waiting = 確認待ち
tool-approving = 許可を送信中
tool-denying = 拒否を送信中
tool-running = 実行中
tool-done = 完了
tool-failed = 失敗
tool-denied = 拒否
tool-stopped = 未完了
tool-input = 入力
tool-output = 結果
tool-error = エラー
tool-reason = 理由
arguments-none = 引数はありません。
bytes = { $bytes } バイト
approval-label = エージェントに { $tool } の使用を許可しますか
approval-question = { $agent } がツールの使用を求めています
approval-explanation = あなたが決めるまで待ちます。渡されるものはこれがすべてです。
approval-waits = エージェントが確認を待っています
approve = 許可
deny = 拒否
warning-tool-name = ツールの名前
warning-place = 「{ $place }」
warning-direction = { $place } に文字の向きを変える文字があります。見えているものと送られるものが違うかもしれません。
warning-hidden = { $place } に見えない文字が { $count } 個あります。印を付けてあります。
warning-mixed-letters = { $place } の単語 { $word } に、形の似た別の文字体系の文字が混ざっています。
warning-padding = { $place } に長い空白があります。その後ろも確かめてください。
warning-encoded-host = { $place } に、別の名前に見せかけられる符号化されたホスト名があります。
warning-long = { $place } は { $bytes } バイトの長さです。最後まで読んでください。
warning-odd-name = ツールの名前に、名前には使われない文字があります。
marker-title = { $name }（{ $code }）
marker-line-break = 改行
marker-tab = タブ
marker-control = 制御文字
marker-direction = 文字の向きを変えます
marker-zero-width = 幅のない文字
marker-invisible = 見えない文字
marker-tag = 見えないタグ文字
marker-variation = 異体字セレクター
marker-blank = 特殊な空白
marker-private-use = コンピューターごとに違って見える文字
marker-stacked = 同じ文字に重なる余分な記号

## Writing

composer-label = メッセージ
composer-placeholder = メッセージを入力…
composer-hint = Enter で送信、Shift と Enter で改行
composer-busy = エージェントが作業中です。Esc で停止
composer-opening = 会話を開いています…
composer-sign-in = 書き込むにはもう一度サインインしてください。
composer-refused = エージェントはここではメッセージを受け付けません。
composer-closed = 接続が閉じています。書き込むには接続してください。
send = 送信
stop = 停止

## Notices and announcements

notices = お知らせ
dismiss = 閉じる
live-started = エージェントが回答しています。
live-finished = 回答が終わりました。
live-asked = エージェントが { $tool } の使用を求めています。確認を待っています。

## Errors

error-unknown = 問題が起きました（{ $code }）。もう一度お試しください。
error-shell-unreadable = 画面とアプリの版が合っていません。Callbox を再起動してください。直らない場合は再インストールしてください。
error-tenant-unreachable = サインインサーバーに接続できません。ネットワーク接続を確認してください。
error-tenant-timed-out = サインインサーバーが時間内に応答しませんでした。少し待ってからもう一度お試しください。
error-tenant-reply-lost = サインインサーバーとの接続が切れました。少し待ってからもう一度お試しください。
error-tenant-rate-limited = サインインサーバーが混み合っています。少し待ってからもう一度お試しください。
error-tenant-unwell = サインインサーバーに問題が起きています。少し待ってからもう一度お試しください。
error-tenant-intercepted = サインインサーバーの代わりに別のものが応答しました。このネットワークに独自のサインインが必要ではありませんか。
error-internal-step-failed = 内部処理に失敗しました。もう一度お試しください。繰り返す場合はご報告ください。
error-discovery-not-found = このアドレスにサインインサーバーがありません。プロファイルの issuer を確認してください。
error-discovery-insecure = サインインサーバーが https でないアドレスを示しました。安全でないため使えません。
error-sign-in-declined = サインインが拒否されました。
error-sign-in-wrong-issuer = 問い合わせたものとは別のサインインサーバーから応答がありました。もう一度サインインしてください。
error-sign-in-code-rejected = ブラウザーから戻ったサインインが受け付けられませんでした。もう一度サインインしてください。
error-sign-in-expired = サインインに時間がかかりすぎました。もう一度サインインしてください。
error-sign-in-cancelled = サインインを取り消しました。
error-session-closed = アプリを終了しています。
error-signed-out = サインインしていません。
error-link-too-long = ブラウザーからのリンクとしては長すぎます。アドレスだけをコピーしてください。
error-link-malformed = アドレスではありません。ブラウザーのアドレス全体をコピーしてください。
error-link-not-ours = このサインインのアドレスではありません。dev.callbox.desktop で始まるものをコピーしてください。
error-link-unknown = 別のサインインのリンクです。やり直して、最新のページを使ってください。
error-link-already-used = そのリンクはすでに使われています。サインインできていない場合はやり直してください。
error-link-over = そのリンクは期限切れです。サインインをやり直してください。
error-keychain-denied = システムのキーチェーンに拒否されました。Callbox に使用を許可してからもう一度お試しください。
error-keychain-locked = システムのキーチェーンがロックされています。ロックを解除してからもう一度お試しください。
error-keychain-unavailable = このシステムにはキーチェーンがありません。GNOME Keyring や KWallet などを起動またはインストールしてからもう一度お試しください。
error-keychain-timed-out = システムのキーチェーンが応答しません。ロック解除の画面が出ていないか確認してからもう一度お試しください。
error-keychain-not-used = このセッションではキーチェーンを使っていません。終了すると何も残りません。
error-store-disk-full = ディスクに空きがありません。空きを作ってからもう一度お試しください。変更は保存されていません。
error-store-read-only = 会話の一覧に書き込めません。アプリのデータフォルダーの権限を確認してください。
error-store-cannot-open = 会話の一覧を開けません。アプリのデータフォルダーがあり、使えることを確認してください。
error-store-busy = 会話の一覧を別のプログラムが使っています。少し待ってからもう一度お試しください。
error-store-newer = 会話の一覧は新しい版のアプリで書かれています。アプリを更新してください。
error-store-replaced-wrong-key = このコンピューターの会話の一覧は、失われた鍵でロックされています。新しい一覧を作りました。会話そのものはエージェントに残っています。
error-store-replaced-corrupt = このコンピューターの会話の一覧が壊れています。新しい一覧を作りました。会話そのものはエージェントに残っています。
error-agent-address = エージェントのアドレスを使えません。https のアドレスか、このコンピューターの http である必要があります。
error-agent-address-decorated = エージェントのアドレスに、ユーザー名、クエリ、フラグメントは使えません。
error-agent-address-insecure = エージェントのアドレスは https:// で始まる必要があります。http はこのコンピューター自身にだけ使えます。
error-agent-closed = エージェントが接続を閉じました。{ $detail }
error-agent-forbidden = エージェントがこの会話を断りました。{ $detail }
error-proxy-wants-password = このネットワークのプロキシがユーザー名とパスワードを求めています。システムのプロキシ設定に入力してから、もう一度お試しください。
error-proxy-refused = このネットワークのプロキシがエージェントへの接続を許可していません。エージェントのアドレスを許可するよう、管理者に依頼してください。
error-agent-insecure = エージェントに安全に接続できません。このネットワークは通信を検査しているか、独自のサインインを求めていませんか。
error-agent-intercepted = エージェントの代わりに別のものが応答しました。このネットワークに独自のサインインが必要ではありませんか。
error-agent-not-an-agent = このアドレスで応答したものは、エージェントのプロトコルを話していません。プロファイルのアドレスを確認してください。
error-agent-not-found = このアドレスにエージェントがありません。プロファイルのアドレスを確認してください。{ $detail }
error-agent-rate-limited = エージェントが混み合っています。少し待ちます。
error-agent-rejected = エージェントがこのサインインを受け付けません。もう一度サインインしてください。
error-agent-timed-out = エージェントが時間内に応答しませんでした。
error-agent-unexpected = エージェントから予期しない応答がありました。
error-agent-unreachable = エージェントに接続できません。ネットワーク接続を確認してください。
error-agent-unwell = エージェントに問題が起きています。
error-conversation-closed = この会話は閉じられています。もう一度開いてください。
error-conversation-too-large = この会話は大きすぎて読み込めません。
error-decision-not-taken = エージェントが決定を受け取りませんでした。もう一度決定してください。
error-discovery-malformed = サインインサーバーの説明情報を使えません。管理者に知らせてください。
error-discovery-wrong-issuer = サインインサーバーの名前がプロファイルと違います。プロファイルの issuer を直してください。{ $detail }
error-forbidden-link = このリンクは開きませんでした。開けるのはウェブページとメールアドレスだけです。
error-id-token-algorithm = サインインの証明が受け付けられませんでした（署名方式）。もう一度サインインしてください。
error-id-token-audience = サインインの証明が受け付けられませんでした（宛先）。もう一度サインインしてください。
error-id-token-expired = サインインの証明が受け付けられませんでした（期限切れ）。コンピューターの時計を確認し、もう一度サインインしてください。
error-id-token-issuer = サインインの証明が受け付けられませんでした（発行者）。もう一度サインインしてください。
error-id-token-malformed = サインインの証明を読み取れませんでした。もう一度サインインしてください。
error-id-token-missing = サインインの証明がありませんでした。もう一度サインインしてください。
error-id-token-nonce = サインインの証明が受け付けられませんでした（nonce）。もう一度サインインしてください。
error-id-token-not-yet = サインインの証明がまだ有効ではありません。コンピューターの時計を確認し、もう一度サインインしてください。
error-id-token-signature = サインインの証明の署名が正しくありません。もう一度サインインしてください。
error-id-token-subject = サインインの証明が受け付けられませんでした（利用者）。もう一度サインインしてください。
error-id-token-unknown-key = サインインの証明の署名鍵が見つかりません。もう一度サインインしてください。
error-issuer-decorated = サインインサーバーのアドレスに、ユーザー名、クエリ、フラグメントは使えません。
error-issuer-insecure = サインインサーバーのアドレスは https:// で始まる必要があります。http はこのコンピューター自身にだけ使えます。
error-issuer-not-an-address = サインインサーバーのアドレスが正しくありません。https://tenant.example.com/ のように書いてください。
error-keychain-failed = システムのキーチェーンでエラーが起きました。{ $detail }
error-keychain-too-large = 秘密情報が大きすぎてキーチェーンに入りません。
error-link-broken = エージェントとの接続が切れました。
error-link-silent = エージェントとの接続が応答しなくなりました。
error-message-cancelled = メッセージは送られる前に止められました。
error-message-empty = 送る内容がありません。
error-message-not-taken = メッセージを届けられませんでした。もう一度送るか、取り消してください。
error-message-skipped = エージェントが作業中で、メッセージを受け取りませんでした。終わってからもう一度送ってください。
error-message-too-large = メッセージが大きすぎます。取り消して、短いものを送ってください。
error-message-too-long = メッセージが長すぎます。短くしてください。
error-network-setup = ネットワークを準備できませんでした。プロキシと証明書の設定を確認してください。
error-no-browser = ブラウザーを開けませんでした（{ $why }）。既定のブラウザーを設定してからもう一度お試しください。
error-no-conversation = この会話は開かれていません。一覧からもう一度選んでください。
error-no-profile = エージェントがまだ設定されていません。プロファイルで Callbox を開くか、サンドボックスをお試しください。
error-no-sign-in = 待っているサインインがありません。もう一度サインインしてください。
error-no-such-call = このツール呼び出しは、もう会話にありません。
error-no-such-message = このメッセージは、もう送信待ちではありません。
error-not-revoked = このコンピューターではサインアウトしました。サインインサーバーには知らせられませんでしたが、しばらくすると自動的に終わります。
error-profile-invalid = プロファイルが正しくありません。{ $detail }
error-profile-unreadable = プロファイルを読めません。ファイルがあり、読めることを確認してください。{ $detail }
error-sandbox-start = 内蔵のサンドボックスを始められませんでした。{ $detail }
error-session-ended = { $name } さんのサインインが終わりました。続けるにはもう一度サインインしてください。会話は残っています。
error-account-changed = サインインサーバーが { $name } さんとは別の人として応答しました。もう一度サインインしてください。
error-session-unreadable = 保存されたサインインは別の版の Callbox のもので、読めません。もう一度サインインしてください。
error-settings-write = 設定ファイルに書き込めませんでした。選択は Callbox を閉じるまで有効です。{ $detail }
error-sign-in-configuration = サインインサーバーが、このアプリの設定を受け付けません。クライアント ID、audience、リダイレクト URI を確認してください。{ $detail }
error-sign-in-interaction = サインインサーバーが別の手順を求めています。もう一度サインインしてください。{ $detail }
error-sign-in-malformed = サインインサーバーの応答を使えません。
error-store-corrupt = このコンピューターの会話の一覧が壊れています。
error-store-internal = 会話の一覧の内部処理に失敗しました。ご報告ください。
error-store-io = ディスクの読み書きに失敗しました。もう一度お試しください。繰り返す場合はディスクを確認してください。
error-store-wrong-key = このコンピューターの会話の一覧は、失われた鍵でロックされています。
error-tls-setup = 安全な接続を準備できませんでした。Callbox をインストールし直してください。
error-token-configuration = サインインサーバーが、このアプリの設定を受け付けません。{ $detail }
error-token-interaction = サインインサーバーが、もう一度サインインするよう求めています。{ $detail }
error-token-malformed = サインインサーバーの応答を使えません。
error-turn-failed = エージェントは答えられませんでした。{ $detail }
error-turn-no-answer = エージェントから答えがありませんでした。もう一度送ってください。
