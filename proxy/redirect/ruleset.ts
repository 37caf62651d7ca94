// The text of the nftables rules inside a pod's network namespace: outgoing TCP goes to the in-pod
// listener and nowhere else, plaintext from outside and UDP as configured. Pure; nftables.ts loads it.
import { familyOf, type Range } from '#proxy/range.ts';

/** Where redirected connections arrive, on the pod's loopback. */
export const OUTBOUND_PORT = 15001;

/** The one table that is ours. */
export const TABLE = 'inet tidelock';

/** Of deliveries that show their client's address (clientAddress.ts), and of the answers to them. */
export const CLIENT_MARK = 0x15008;

/** What may reach and leave a pod outside of lanes; the same for all pods of a node. */
export interface Plaintext {
  /** TCP that comes from outside without passing an agent. */
  readonly inbound: 'refuse' | 'plain';
  /** Sources and ports of the pod for which `refuse` does not hold. */
  readonly inboundExcept: readonly Range[];
  readonly udp: 'leave' | 'refuse';
  /** Destinations for which `refuse` does not hold. */
  readonly udpExcept: readonly Range[];
}

/** Named counters of the table, by what they count. */
export const COUNTERS = {
  /** Plaintext TCP from outside, answered by a reset; packets. */
  refusedIn: 'refused_in',
  /** Connections from outside that were let in. */
  plainIn: 'plain_in',
  /** TCP that would have left the pod past the redirect (raw sockets, notrack); packets. */
  droppedOut: 'dropped_out',
  /** UDP that left the pod and that came to it; packets. */
  udpOut: 'udp_out',
  udpIn: 'udp_in',
  /** UDP in either direction that was refused; packets. */
  udpRefused: 'udp_refused',
} as const;

/** Sets with `source . port` of plaintext that was refused lately; whoever floods fills them, no more. */
export const REFUSED_SETS = { refused4: 'ipv4_addr', refused6: 'ipv6_addr' } as const;
const REFUSED_KEPT = 64;
/** For so long. */
export const REFUSED_SECONDS = 600;

/** How long conntrack knows a silent connection (nf_conntrack_tcp_timeout_established). */
const ESTABLISHED_SECONDS = 432_000;

/** What answers a delivery gets the delivery's mark, by which it is routed. */
const CLIENTS = `  chain clients {
    type route hook output priority mangle; policy accept;
    meta mark ${CLIENT_MARK} ct mark set ${CLIENT_MARK}
    ct mark ${CLIENT_MARK} meta mark set ${CLIENT_MARK}
  }`;

/**
 * No exemption by mark: a pod with CAP_NET_RAW can set one. Delivery into the pod and local traffic
 * go to the pod's own addresses, which the fib rule lets pass. The egress chain closes what NAT does
 * not see: packets of raw sockets or untracked ones; replies are resets of refused connections, or of
 * connections that are let in. An answer to a delivery whose mark did not lead it back to loopback leaves
 * no more than anything else.
 */
export const rulesetText = (plaintext: Plaintext): string => `add table ${TABLE}
delete table ${TABLE}
table ${TABLE} {
${lines(Object.values(COUNTERS).map((name) => `counter ${name} { }`))}
${lines(Object.entries(REFUSED_SETS).map(setText))}
${CLIENTS}
  chain output {
    type nat hook output priority -100; policy accept;
    fib daddr type local return
    meta l4proto tcp redirect to :${OUTBOUND_PORT}
  }
  chain egress {
    type filter hook postrouting priority 0; policy accept;
    oifname "lo" accept
    ct mark != ${CLIENT_MARK} ct direction reply accept
    meta l4proto tcp counter name ${COUNTERS.droppedOut} drop
  }
  chain datagrams {
    type filter hook output priority 0; policy accept;
    oifname "lo" accept
${lines(udpOut(plaintext))}
  }
  chain input {
    type filter hook input priority 0; policy accept;
    iifname "lo" accept
${lines(tcpIn(plaintext))}
${lines(udpIn(plaintext))}
  }
  chain plain {
    ct state new counter name ${COUNTERS.plainIn}
    accept
  }
}
`;

/**
 * Added to the rules where the kernel can (NF_CONNTRACK_TIMEOUT): a connection that one side has closed stays
 * known while the other is silent, as long as one that is open. Else it is a stranger's after a minute, and
 * what the other side says at last reaches nobody.
 */
export const HALF_CLOSED_RULES = `${halfClosed('ip', 'ipv4')}${halfClosed('ip6', 'ipv6')}`;

function halfClosed(l3proto: 'ip' | 'ip6', nfproto: 'ipv4' | 'ipv6'): string {
  const name = `half_closed_${nfproto}`;
  const policy = `fin_wait : ${ESTABLISHED_SECONDS}, close_wait : ${ESTABLISHED_SECONDS}`;
  return `add ct timeout ${TABLE} ${name} { protocol tcp; l3proto ${l3proto}; policy = { ${policy} } ; }
insert rule ${TABLE} output meta nfproto ${nfproto} meta l4proto tcp ct timeout set "${name}"
`;
}

/** What stays of the rules while the deliveries into a pod that was released end. */
export const RELEASED_RULES = `add table ${TABLE}
delete table ${TABLE}
table ${TABLE} {
${CLIENTS}
  chain egress {
    type filter hook postrouting priority 0; policy accept;
    oifname != "lo" ct mark ${CLIENT_MARK} drop
  }
}
`;

const lines = (statements: readonly string[]): string =>
  statements.map((statement) => `    ${statement}`).join('\n');

const setText = ([name, type]: readonly [string, string]): string =>
  `set ${name} { type ${type} . inet_service; size ${REFUSED_KEPT}; flags dynamic,timeout; timeout ${REFUSED_SECONDS}s; }`;

const tcpIn = ({ inbound, inboundExcept }: Plaintext): string[] =>
  inbound === 'plain'
    ? ['meta l4proto tcp jump plain']
    : [
        ...inboundExcept.map((range) => `${matching('saddr', 'tcp', range)} jump plain`),
        'ct state new update @refused4 { ip saddr . tcp dport counter }',
        'ct state new update @refused6 { ip6 saddr . tcp dport counter }',
        `meta l4proto tcp counter name ${COUNTERS.refusedIn} reject with tcp reset`,
      ];

/** UDP-Lite is as good a way out as UDP. */
const UDP = 'meta l4proto { udp, udplite }';
const REFUSE_UDP = `${UDP} counter name ${COUNTERS.udpRefused} reject with icmpx admin-prohibited`;

const udpOut = ({ udp, udpExcept }: Plaintext): string[] => {
  const passes = `counter name ${COUNTERS.udpOut} accept`;
  return udp === 'leave'
    ? [`${UDP} ${passes}`]
    : [...udpExcept.map((range) => `${matching('daddr', 'udp', range)} ${passes}`), REFUSE_UDP];
};

const udpIn = ({ udp }: Plaintext): string[] => {
  const passes = `counter name ${COUNTERS.udpIn} accept`;
  return udp === 'leave'
    ? [`${UDP} ${passes}`]
    : [`${UDP} ct direction reply ${passes}`, REFUSE_UDP];
};

/** Packets whose remote end is in the network; the port is the destination's. */
function matching(end: 'saddr' | 'daddr', protocol: 'tcp' | 'udp', range: Range): string {
  const { network, ports } = range;
  const remote = `${familyOf(network) === 4 ? 'ip' : 'ip6'} ${end} ${network}`;
  return ports.length === 0
    ? `${remote} meta l4proto ${protocol}`
    : `${remote} ${protocol} dport { ${ports.join(', ')} }`;
}
