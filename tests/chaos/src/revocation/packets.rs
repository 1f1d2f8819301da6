//! Nodes with networks of their own, which can lose packets.
//!
//! Each node is in a network namespace, whose only way out is a pair of virtual devices to this
//! machine: over it the node reaches the database, and the clients reach the node. Packets are lost
//! inside the namespace, to and from the database. Nothing else on this machine is changed, and with
//! the namespaces all of it is gone.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use pat_servers::Kind;
use pat_servers::programs::{find, is_root};

use super::nodes::NODES;

/// What becomes of packets between a node and its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loss {
    All,
    /// Those that the node sends.
    Questions,
    /// Those that the server sends.
    Answers,
    /// A reset in answer to all that the node sends; the server hears of nothing.
    ResetsNode,
    /// A reset in answer to all that the server sends; the node hears of nothing.
    ResetsServer,
    /// One in twenty, both ways.
    Some,
}

const DROP: &[&str] = &["-j", "DROP"];
const RESET: &[&str] = &["-j", "REJECT", "--reject-with", "tcp-reset"];
const ONE_IN_TWENTY: &[&str] = &[
    "-m",
    "statistic",
    "--mode",
    "random",
    "--probability",
    "0.05",
    "-j",
    "DROP",
];

impl Loss {
    pub(super) const ALL: [Self; 6] = [
        Self::All,
        Self::Questions,
        Self::Answers,
        Self::ResetsNode,
        Self::ResetsServer,
        Self::Some,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::All => "all packets lost",
            Self::Questions => "packets to the server lost",
            Self::Answers => "packets to the node lost",
            Self::ResetsNode => "node reset",
            Self::ResetsServer => "server reset",
            Self::Some => "5 % of packets lost",
        }
    }

    /// What is done to packets that leave the node, and to those that come to it.
    fn rules(self) -> [Option<&'static [&'static str]>; 2] {
        match self {
            Self::All => [Some(DROP), Some(DROP)],
            Self::Questions => [Some(DROP), None],
            Self::Answers => [None, Some(DROP)],
            Self::ResetsNode => [Some(RESET), None],
            Self::ResetsServer => [None, Some(RESET)],
            Self::Some => [Some(ONE_IN_TWENTY), Some(ONE_IN_TWENTY)],
        }
    }
}

/// The networks of all nodes of a run.
pub(super) struct Packets {
    namespaces: Vec<Namespace>,
    port: &'static str,
}

impl Packets {
    /// Why there are none; `None` if there can be.
    pub(super) fn missing() -> Option<&'static str> {
        if !is_root() {
            return Some("network namespaces need root");
        }
        if find("ip").is_none() || find("iptables").is_none() {
            return Some("no ip or no iptables on this machine");
        }
        let can_have = Command::new(ip()).args(["netns", "list"]).output();
        let can_have = can_have.is_ok_and(|output| output.status.success());
        (!can_have).then_some("no network namespaces on this machine")
    }

    /// For nodes with a database of this kind.
    pub(super) fn start(kind: Kind) -> Self {
        static RUN: AtomicU8 = AtomicU8::new(0);
        let process = std::process::id();
        let run = RUN.fetch_add(1, Ordering::SeqCst);
        // A range that is set aside for measurements of networks. Runs at the same time differ.
        let third = (process * 4 + u32::from(run)) % 256;
        let third = u8::try_from(third).expect("a small number");
        let namespaces = (0..NODES).map(|node| {
            let number = u8::try_from(4 * node).expect("a small number");
            Namespace::start(
                format!("pat{process}-{run}-{node}"),
                [1, 2].map(|host| Ipv4Addr::new(198, 18, third, number + host)),
            )
        });
        Self {
            namespaces: namespaces.collect(),
            port: match kind {
                Kind::Postgres => "5432",
                Kind::MariaDb => "3306",
            },
        }
    }

    /// Where the database has to listen.
    pub(super) fn addresses(&self) -> Vec<Ipv4Addr> {
        self.namespaces.iter().map(|one| one.outer).collect()
    }

    /// Where a node reaches it, and is reached itself.
    pub(super) fn addresses_of(&self, node: usize) -> [Ipv4Addr; 2] {
        let Namespace { outer, inner, .. } = self.namespaces[node];
        [outer, inner]
    }

    /// The command that starts a program where a node is.
    pub(super) fn within(&self, node: usize) -> Vec<OsString> {
        let namespace = &self.namespaces[node];
        let words = ["netns", "exec", &namespace.name].map(OsString::from);
        [vec![ip().into_os_string()], words.into()].concat()
    }

    pub(super) fn lose(&self, node: usize, loss: Loss) {
        let [leaving, coming] = loss.rules();
        for (chain, port, rule) in [("OUTPUT", "--dport", leaving), ("INPUT", "--sport", coming)] {
            if let Some(rule) = rule {
                let packets = ["-A", chain, "-p", "tcp", port, self.port];
                self.namespaces[node].iptables(&[&packets[..], rule].concat());
            }
        }
    }

    pub(super) fn lose_none(&self, node: usize) {
        self.namespaces[node].iptables(&["-F"]);
    }
}

fn ip() -> PathBuf {
    find("ip").expect("the program ip")
}

/// A network namespace, deleted when this is dropped.
struct Namespace {
    name: String,
    /// This machine's address in it.
    outer: Ipv4Addr,
    /// Its own.
    inner: Ipv4Addr,
}

impl Namespace {
    fn start(name: String, [outer, inner]: [Ipv4Addr; 2]) -> Self {
        let device = name.clone();
        run_ip(&["netns", "add", &name]);
        let namespace = Self { name, outer, inner };
        let name = &namespace.name;
        // The pair goes with the namespace.
        let pair = ["type", "veth", "peer", "name", "eth0", "netns", name];
        run_ip(&[&["link", "add", &device], &pair[..]].concat());
        run_ip(&["addr", "add", &format!("{outer}/30"), "dev", &device]);
        run_ip(&["link", "set", &device, "up"]);
        run_ip(&[
            "-n",
            name,
            "addr",
            "add",
            &format!("{inner}/30"),
            "dev",
            "eth0",
        ]);
        for device in ["eth0", "lo"] {
            run_ip(&["-n", name, "link", "set", device, "up"]);
        }
        namespace
    }

    fn iptables(&self, arguments: &[&str]) {
        let iptables = find("iptables").expect("the program iptables");
        let iptables = iptables.to_str().expect("a plain path");
        let within = ["netns", "exec", &self.name, iptables, "-w"];
        run_ip(&[&within[..], arguments].concat());
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A process that is still in it keeps its network, but not the devices.
        for arguments in [["link", "del", &self.name], ["netns", "del", &self.name]] {
            let mut command = Command::new(ip());
            let _status = command.args(arguments).stderr(Stdio::null()).status();
        }
    }
}

fn run_ip(arguments: &[&str]) {
    let status = Command::new(ip()).args(arguments).status();
    assert!(status.expect("a program").success(), "ip {arguments:?}");
}
