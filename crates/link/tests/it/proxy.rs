//! Through a company's proxy to an agent whose certificate the company has issued. Proxies and authorities are the environment's: the link runs
//! in a process of its own, with nothing but what the table gives it.

use std::{
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use callbox_identity::{CallbackOutcome, Config, Issuer, Profile, Session, SystemClock, SystemEntropy};
use callbox_link::{AgentAddress, Link, LinkConfig, LinkState, http_client};
use callbox_sandbox::{AUDIENCE, Visitor};
use callbox_vault::Vault;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    front::{Authority, GOOD},
    world::{ADA, Watched, World, patient, soon},
};

const PASSWORD: &str = "se cret/of the proxy";
/// The same in an address.
const ESCAPED: &str = "se%20cret%2Fof%20the%20proxy";

/// What a proxy does with a request for a tunnel.
#[derive(Clone, Copy)]
enum Manner {
    /// Makes it for whoever has the password.
    Password,
    /// Answers with this status.
    Refuse(u16),
}

/// A proxy that knows one place, whatever it is asked for.
struct Proxy {
    port: u16,
    /// The first lines of the requests that it has had.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start(manner: Manner, to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, requests) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Vec::new())));
        let seen = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, manner, to, seen.clone()));
            }
        });
        Self { port, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, to: u16, seen: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    seen.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
    let credentials = format!("proxy-authorization: basic {}", STANDARD.encode(format!("ada:{PASSWORD}")));
    let known = head.lines().any(|line| line.eq_ignore_ascii_case(&credentials));
    let answer = match manner {
        Manner::Password if known => "HTTP/1.1 200 Connection established\r\n\r\n".to_owned(),
        Manner::Password => "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm=\"work\"\r\n\r\n".to_owned(),
        Manner::Refuse(status) => format!("HTTP/1.1 {status} No\r\n\r\n"),
    };
    stream.write_all(answer.as_bytes()).await.unwrap();
    if answer.contains(" 200 ")
        && let Ok(mut agent) = TcpStream::connect(("127.0.0.1", to)).await
    {
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut agent).await;
    }
}

/// A company: a sandbox, an authority, and a front for the agent.
struct Company {
    world: World,
    authority: Authority,
    front: u16,
}

impl Company {
    async fn new(name: &str) -> Self {
        let (world, authority) = (World::new().await, Authority::new());
        let front = authority.front(name, GOOD, world.agent()).await;
        Self { world, authority, front }
    }

    /// What comes of a link to the agent at `address` in this environment; and everything that the process wrote.
    async fn outcome(&self, address: &str, environment: &[(&str, &str)]) -> (String, String) {
        self.outcome_at(self.world.sandbox.issuer().as_str(), address, environment).await
    }

    /// The same with another tenant.
    async fn outcome_at(&self, issuer: &str, address: &str, environment: &[(&str, &str)]) -> (String, String) {
        let authorities = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(authorities.path(), self.authority.pem()).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "proxy::child", "--include-ignored", "--nocapture"]).env_clear().stdin(Stdio::null());
        child.env("SSL_CERT_FILE", authorities.path()).envs(environment.iter().copied());
        child.env("CALLBOX_TEST_AGENT", address).env("CALLBOX_TEST_ISSUER", issuer);
        child.env("CALLBOX_TEST_CLIENT", self.world.sandbox.client_id());
        let Output { stdout, stderr, .. } =
            soon("the other process", tokio::task::spawn_blocking(move || child.output())).await.unwrap().unwrap();
        let text = format!("{}\n{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        let outcome = text.lines().find_map(|line| line.split_once("outcome=")).map(|(_, outcome)| outcome.trim().to_owned());
        (outcome.unwrap_or_else(|| panic!("it says nothing: {text}")), text)
    }
}

#[tokio::test]
#[ignore = "the process that the tests of this file start"]
async fn child() {
    let variable = |name: &str| std::env::var(format!("CALLBOX_TEST_{name}"));
    let Ok(agent) = variable("AGENT") else { return };
    let (agent, issuer): (url::Url, url::Url) = (agent.parse().unwrap(), variable("ISSUER").unwrap().parse().unwrap());
    tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(std::io::stderr).init();
    let http = http_client(&issuer).unwrap();
    let issuer = Issuer::try_from(issuer).unwrap();
    let mut profile = Profile::new("company", agent.clone(), issuer, &variable("CLIENT").unwrap());
    profile.audience = Some(AUDIENCE.to_owned());
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let session = Session::spawn(Config { profile, vault: Vault::memory(), http, clock, entropy });
    let start = match session.begin_sign_in().await {
        Ok(start) => start,
        Err(error) => return println!("\noutcome={}", error.code()),
    };
    let callback = Visitor::new().unwrap().sign_in(&start.url, ADA).await.unwrap();
    assert_eq!(session.handle_callback(&callback).await, CallbackOutcome::Completed);

    let http = http_client(&agent).unwrap();
    let config = LinkConfig::new(AgentAddress::new(agent).unwrap(), "c1".to_owned(), session, http);
    let mut watched = Watched::new(Link::spawn(LinkConfig { timing: patient(), ..config })).await;
    watched.until("an outcome", |watched| watched.status.link != LinkState::Connecting).await;
    let outcome = match &watched.status.link {
        LinkState::Online => {
            watched.link.send("thank you").await.unwrap();
            watched.until_answered(2).await;
            "answered"
        }
        LinkState::Offline { why, retry_in } => {
            assert!(retry_in.is_some());
            why.code()
        }
        LinkState::Refused(why) => why.code(),
        other => panic!("{other:?}"),
    };
    // On a line of its own, whatever the test runner has written before.
    println!("\noutcome={outcome}");
    // Nothing is tried on: what the proxy has seen is what one try costs.
    soon("closed", watched.link.close()).await;
}

#[tokio::test]
async fn socket_and_messages_go_through_the_proxy_with_its_password_to_a_host_that_the_companys_authority_vouches_for() {
    let company = Company::new("agent.test").await;
    let proxy = Proxy::start(Manner::Password, company.front).await;
    let address = format!("http://ada:{ESCAPED}@127.0.0.1:{}", proxy.port);
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let (outcome, log) = company.outcome("https://agent.test/agents/chat-agent", &[(variable, &address)]).await;
        assert_eq!(outcome, "answered", "{variable}");
        assert!(
            !log.contains(PASSWORD) && !log.contains(ESCAPED) && !log.contains(&STANDARD.encode(format!("ada:{PASSWORD}"))),
            "the password is in the log"
        );
    }
    let requests = proxy.requests();
    assert_eq!(requests.len(), 6, "a tunnel for the socket and one for the messages, each time: {requests:?}");
    assert!(requests.iter().all(|request| request == "CONNECT agent.test:443 HTTP/1.1"), "{requests:?}");
}

#[tokio::test]
async fn what_keeps_a_proxy_from_it_is_named() {
    let company = Company::new("agent.test").await;
    for (manner, user, code, tries) in [
        (Manner::Password, "", "proxy-wants-password", 1),
        (Manner::Password, "ada:wrong@", "proxy-wants-password", 1),
        (Manner::Refuse(403), "", "proxy-refused", 1),
        (Manner::Refuse(502), "", "proxy-refused", 1),
    ] {
        let proxy = Proxy::start(manner, company.front).await;
        let address = format!("http://{user}127.0.0.1:{}", proxy.port);
        let (outcome, _) = company.outcome("https://agent.test/agents/chat-agent", &[("HTTPS_PROXY", &address)]).await;
        assert_eq!((outcome.as_str(), proxy.requests().len()), (code, tries));
        let (tenant, agent) = ("https://tenant.test/", "https://agent.test/agents/chat-agent");
        let (outcome, _) = company.outcome_at(tenant, agent, &[("HTTPS_PROXY", &address)]).await;
        assert_eq!(outcome, code, "the sign-in goes the same way");
    }
    // A port that nobody listens on, and that nobody else is given meanwhile.
    let held = TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = held.local_addr().unwrap();
    let (outcome, _) = company.outcome("https://agent.test/agents/chat-agent", &[("HTTPS_PROXY", &format!("http://{nobody}"))]).await;
    assert_eq!(outcome, "proxy-unreachable");
}

/// A certificate of an authority that is not in the system's list is not trusted because the way to it leads through a proxy.
#[tokio::test]
async fn a_proxy_that_looks_into_connections_is_named() {
    let (company, stranger) = (Company::new("agent.test").await, Authority::new());
    let inspecting = stranger.front("agent.test", GOOD, company.world.agent()).await;
    let proxy = Proxy::start(Manner::Password, inspecting).await;
    let address = format!("http://ada:{ESCAPED}@127.0.0.1:{}", proxy.port);
    let (outcome, _) = company.outcome("https://agent.test/agents/chat-agent", &[("HTTPS_PROXY", &address)]).await;
    assert_eq!(outcome, "certificate-unknown-issuer");
    assert_eq!(company.world.control().handshakes(), (0, 0));
}

/// 0.0.0.0 is this computer, too, but no loopback address: only `NO_PROXY` keeps it from the proxy.
#[cfg(unix)]
#[tokio::test]
async fn hosts_that_need_no_proxy_and_this_computer_itself_are_reached_without() {
    let company = Company::new("0.0.0.0").await;
    let proxy = Proxy::start(Manner::Refuse(502), company.front).await;
    let (proxied, agent) = (format!("http://127.0.0.1:{}", proxy.port), format!("https://0.0.0.0:{}/agents/chat-agent", company.front));
    let (outcome, _) = company.outcome(&agent, &[("HTTPS_PROXY", &proxied), ("NO_PROXY", "intranet.example, 0.0.0.0")]).await;
    assert_eq!((outcome.as_str(), proxy.requests().len()), ("answered", 0));
    let (outcome, _) = company.outcome(&agent, &[("HTTPS_PROXY", &proxied)]).await;
    assert_eq!((outcome.as_str(), proxy.requests().len()), ("proxy-refused", 1));

    // The sandbox is on loopback, and goes on behind the strictest proxy.
    let local = company.world.sandbox.agent_url();
    let (outcome, _) = company.outcome(local.as_str(), &[("HTTP_PROXY", &proxied), ("ALL_PROXY", &proxied)]).await;
    assert_eq!((outcome.as_str(), proxy.requests().len()), ("answered", 1));
}
