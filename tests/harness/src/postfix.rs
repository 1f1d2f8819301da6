//! A Postfix of the test's own: on free ports, in a temporary folder, delivering there.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use pat_servers::programs::free_ports;
use serde_json::Value;

use crate::mail::Mail;
use crate::smtp::Ca;
use crate::until;

/// Where Debian has it.
const MASTER: &str = "/usr/lib/postfix/sbin/master";

/// What it needs to take and deliver mail, as in a `master.cf`.
const SERVICES: &str = "\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
";

/// Why it cannot be used, or nothing if it can.
pub fn missing() -> Option<&'static str> {
    if !Path::new(MASTER).is_file() {
        return Some("needs postfix; run .ci/setup");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made = Command::new("install")
        .args(["-d", "-o", "postfix"])
        .arg(folder.path().join("queue"))
        .stderr(Stdio::null())
        .status();
    let is_root = made.is_ok_and(|status| status.success());
    (!is_root).then_some("needs root, to run postfix")
}

/// A running server; ended when it is dropped.
#[derive(Debug)]
pub struct Postfix {
    /// Where TLS begins with STARTTLS.
    pub starttls_port: u16,
    /// Where TLS is there from the start.
    pub smtps_port: u16,
    folder: tempfile::TempDir,
    master: Child,
}

impl Postfix {
    /// Takes mail for `example.com`, over TLS only.
    pub async fn start(ca: &Ca) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [starttls_port, smtps_port] = free_ports();
        prepare(folder.path(), ca, starttls_port, smtps_port);
        let mut command = Command::new(MASTER);
        command.arg("-c").arg(folder.path().join("etc")).arg("-s");
        let master = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let postfix = Self {
            starttls_port,
            smtps_port,
            folder,
            master: master.expect("postfix starts"),
        };
        until("postfix listens", async || {
            let ports = [starttls_port, smtps_port];
            ports.map(is_open) == [true, true]
        })
        .await;
        postfix
    }

    /// Waits until so many mails are delivered; in no order.
    pub async fn mails(&self, count: usize) -> Vec<Mail> {
        let inbox = self.folder.path().join("mail/inbox/new");
        let files = || fs::read_dir(&inbox).into_iter().flatten();
        until("delivery", async || files().count() >= count).await;
        files()
            .map(|file| {
                let path = file.expect("an entry").path();
                let raw = fs::read_to_string(path).expect("a mail in ASCII");
                Mail::parse(Value::Null, raw.replace('\n', "\r\n").into_bytes())
            })
            .collect()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        // Postfix passes this on to all its processes.
        let id = self.master.id().to_string();
        let _ended_already = Command::new("kill").args(["-TERM", &id]).status();
        let _status = self.master.wait();
    }
}

fn prepare(folder: &Path, ca: &Ca, starttls_port: u16, smtps_port: u16) {
    // Its processes are users of their own.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("permissions");
    install(
        folder,
        "root",
        "root",
        "755",
        &["etc", "queue", "queue/pid"],
    );
    let private = "active bounce corrupt defer deferred flush hold incoming private saved trace";
    let private: Vec<_> = private
        .split(' ')
        .map(|name| format!("queue/{name}"))
        .collect();
    install(folder, "postfix", "root", "700", &private);
    install(folder, "postfix", "root", "700", &["data"]);
    install(folder, "postfix", "postdrop", "730", &["queue/maildrop"]);
    install(folder, "postfix", "postdrop", "710", &["queue/public"]);
    install(folder, "nobody", "root", "755", &["mail"]);

    let at = folder.display();
    let main = format!(
        "compatibility_level = 3.6\n\
         queue_directory = {at}/queue\n\
         data_directory = {at}/data\n\
         maillog_file = {at}/log\n\
         maillog_file_prefixes = {at}\n\
         myhostname = mx.example.net\n\
         mydestination =\n\
         local_recipient_maps =\n\
         alias_maps =\n\
         alias_database =\n\
         default_transport = error:nothing leaves this machine\n\
         virtual_mailbox_domains = example.com\n\
         virtual_mailbox_base = {at}/mail\n\
         virtual_mailbox_maps = static:inbox/\n\
         virtual_uid_maps = static:65534\n\
         virtual_gid_maps = static:65534\n\
         smtpd_tls_cert_file = {}\n\
         smtpd_tls_key_file = {}\n",
        ca.certificate(),
        ca.key()
    );
    let mut services = SERVICES.to_owned();
    for (port, option) in [
        (starttls_port, "smtpd_tls_security_level=encrypt"),
        (smtps_port, "smtpd_tls_wrappermode=yes"),
    ] {
        writeln!(
            services,
            "127.0.0.1:{port} inet n - n - - smtpd -o {option}"
        )
        .expect("text grows");
    }
    fs::write(folder.join("etc/main.cf"), main).expect("a file");
    fs::write(folder.join("etc/master.cf"), services).expect("a file");
}

/// Makes folders of this owner, group and mode.
fn install(folder: &Path, owner: &str, group: &str, mode: &str, names: &[impl AsRef<Path>]) {
    let mut command = Command::new("install");
    command.args(["-d", "-o", owner, "-g", group, "-m", mode]);
    command.args(names.iter().map(|name| folder.join(name)));
    assert!(command.status().expect("install").success());
}

fn is_open(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}
