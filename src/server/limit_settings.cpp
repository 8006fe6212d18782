// The settings of [limits] and its sections (settings_table.h).
#include "server/settings_table.h"

namespace kith::server {
namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t gib = 1024 * mib;

/// `xml` finds the XmlLimits in a configuration. RFC 6120 §13.12: no server may refuse stanzas of less than 10,000
/// bytes.
template <class Xml>
void add_xml_limits(Table& table, const std::string& section, Xml xml) {
  table.section(section);
  table.size(
      "element_bytes", [xml](auto& c) -> auto& { return xml(c).element_bytes; }, {10'000, 16 * mib},
      "One stanza, or one element of the stream's negotiation.");
  table.count(
      "depth", [xml](auto& c) -> auto& { return xml(c).depth; }, {4, 1000},
      "How deep elements may lie in one another.");
  table.count(
      "attributes", [xml](auto& c) -> auto& { return xml(c).attributes; }, {8, 10'000}, "Attributes of one element.");
  table.size(
      "name_bytes", [xml](auto& c) -> auto& { return xml(c).name_bytes; }, {64, 64 * kib},
      "The name of an element or attribute with its namespace.");
  table.size(
      "attribute_value_bytes", [xml](auto& c) -> auto& { return xml(c).attribute_value_bytes; }, {1 * kib, 16 * mib},
      "The value of one attribute.");
  table.count(
      "children", [xml](auto& c) -> auto& { return xml(c).children; }, {8, 10'000'000}, "Elements in one stanza.");
  table.size(
      "tree_bytes", [xml](auto& c) -> auto& { return xml(c).tree_bytes; }, {16 * kib, 1024 * mib},
      "The memory that one stanza takes, beside its texts and the values of its attributes.");
}

}  // namespace

void add_limits(Table& table) {
  using std::chrono::hours;
  using std::chrono::seconds;
  table.section("limits");
  table.at_start().duration(
      "tls_handshake_time", [](auto& c) -> auto& { return c.limits.tls_handshake_time; }, seconds(1), hours(1),
      "How long a TLS handshake may take.");
  table.duration(
      "login_time", [](auto& c) -> auto& { return c.limits.login_time; }, seconds(1), hours(1),
      "How long a connection may stay without login.");
  table.duration(
      "bind_time", [](auto& c) -> auto& { return c.limits.bind_time; }, seconds(1), hours(1),
      "How long a client may take from login to resource binding.");
  table.duration(
      "idle_ping_time", [](auto& c) -> auto& { return c.limits.idle_ping_time; }, seconds(10), hours(24),
      "After which silence a client is asked whether it is still there.");
  table.duration(
      "idle_answer_time", [](auto& c) -> auto& { return c.limits.idle_answer_time; }, seconds(5), hours(1),
      "How long it may take to answer that.");
  table.at_start().count(
      "connections", [](auto& c) -> auto& { return c.limits.connections; }, {1, 10'000'000}, "Connections in all.");
  table.at_start().count(
      "connections_per_address", [](auto& c) -> auto& { return c.limits.connections_per_address; }, {1, 10'000'000},
      "Connections from one IPv4 address or one IPv6 /64.");
  table.at_start().count(
      "unauthenticated_per_address", [](auto& c) -> auto& { return c.limits.unauthenticated_per_address; },
      {1, 10'000'000}, "Of these, those that have not logged in.");
  table.at_start().rate(
      "connections_per_address_rate", [](auto& c) -> auto& { return c.limits.connections_per_address_rate; }, false,
      "New connections from one address.");
  table.count(
      "failed_logins_per_stream", [](auto& c) -> auto& { return c.limits.failed_logins_per_stream; }, {1, 100},
      "Failed logins after which a connection is closed.");
  table.at_start().rate(
      "failed_logins_per_address_rate", [](auto& c) -> auto& { return c.limits.failed_logins_per_address_rate; }, false,
      "Failed logins from one address; beyond it, answers are delayed, and a minute beyond it nothing is tried.");
  table.at_start().rate(
      "failed_logins_per_account_rate", [](auto& c) -> auto& { return c.limits.failed_logins_per_account_rate; }, false,
      "Failed logins to one account; beyond it, answers are delayed. The account is never locked.");
  table.at_start().count(
      "hash_jobs_waiting", [](auto& c) -> auto& { return c.limits.hash_jobs_waiting; }, {1, 100'000},
      "Passwords that wait for being hashed; beyond it, logins are asked to come again.");
  table.rate(
      "bytes_before_login", [](auto& c) -> auto& { return c.limits.bytes_before_login; }, true,
      "What a connection may send before login; beyond it, reading pauses.");
  table.rate(
      "bytes_after_login", [](auto& c) -> auto& { return c.limits.bytes_after_login; }, true,
      "What a client may send after login; beyond it, reading pauses.");
  table.rate(
      "stanzas", [](auto& c) -> auto& { return c.limits.stanzas; }, false,
      "Stanzas that a client may send; beyond it, reading pauses.");
  table.rate(
      "subscription_requests", [](auto& c) -> auto& { return c.limits.subscription_requests; }, false,
      "Requests to become somebody's contact that an account may send.");
  table.count(
      "sessions_per_account", [](auto& c) -> auto& { return c.limits.sessions_per_account; }, {1, 1000},
      "Clients that an account may have connected at a time.");
  table.size(
      "outbox_bytes_before_login", [](auto& c) -> auto& { return c.limits.outbox_bytes_before_login; },
      {4 * kib, 16 * mib}, "What may wait for a connection that reads too slowly, before login.");
  table.size(
      "outbox_bytes_after_login", [](auto& c) -> auto& { return c.limits.outbox_bytes_after_login; }, {64 * kib, gib},
      "What may wait for a client that reads too slowly; beyond it, the session is closed.");
  table.count(
      "archive_preference_addresses", [](auto& c) -> auto& { return c.limits.archive_preference_addresses; },
      {0, 100'000}, "Addresses that an account may name whose messages always or never go into its archive.");
  table.duration(
      "fast_token_time", [](auto& c) -> auto& { return c.limits.fast_token_time; }, seconds(0), hours(24 * 366),
      "How long a client may stay away and still log in with its token (XEP-0484); with 0 s, there are no tokens.");
  table.count(
      "fast_clients_per_account", [](auto& c) -> auto& { return c.limits.fast_clients_per_account; }, {1, 1000},
      "Clients of an account that may have a token; the one that was away for longest makes room.");
  table.duration(
      "sm_resume_time", [](auto& c) -> auto& { return c.limits.sm_resume_time; }, seconds(0), hours(24),
      "How long a session whose connection is lost waits for its client to resume it (XEP-0198); with 0 s, none does.");
  table.count(
      "sm_hibernating_per_account", [](auto& c) -> auto& { return c.limits.sm_hibernating_per_account; }, {1, 1000},
      "Sessions of an account that may wait so at a time; the oldest makes room.");
  table.count(
      "sm_queue_stanzas", [](auto& c) -> auto& { return c.limits.sm_queue_stanzas; }, {10, 1'000'000},
      "Stanzas that may wait for such a session; beyond that it ends, and its messages are kept as for who is away.");
  table.size(
      "sm_queue_bytes", [](auto& c) -> auto& { return c.limits.sm_queue_bytes; }, {64 * kib, gib},
      "What may be in memory for a session because its client has not acknowledged it.");
  table.count(
      "offline_messages", [](auto& c) -> auto& { return c.limits.offline_messages; }, {0, 1'000'000},
      "Messages kept for an account that is away.");
  table.size(
      "offline_bytes", [](auto& c) -> auto& { return c.limits.offline_bytes; }, {0, gib},
      "What these may take in all.");
  table.count(
      "roster_items", [](auto& c) -> auto& { return c.limits.roster_items; }, {1, 100'000}, "Contacts in a roster.");
  table.count(
      "roster_groups_per_item", [](auto& c) -> auto& { return c.limits.roster_groups_per_item; }, {0, 1000},
      "Groups that one contact may be in.");
  table.size(
      "roster_name_bytes", [](auto& c) -> auto& { return c.limits.roster_name_bytes; }, {1, 64 * kib},
      "The name of a contact or of a group.");
  table.size(
      "roster_bytes", [](auto& c) -> auto& { return c.limits.roster_bytes; }, {4 * kib, gib},
      "Names, groups and addresses of a roster together: it leaves in one stanza.");
  table.count(
      "pending_subscription_requests", [](auto& c) -> auto& { return c.limits.pending_subscription_requests; },
      {1, 100'000}, "Requests to become a contact that an account has not answered yet.");
  table.count(
      "directed_presences", [](auto& c) -> auto& { return c.limits.directed_presences; }, {0, 100'000},
      "Addresses to which a session may have sent its presence apart from its contacts.");
  table.count(
      "blocked_addresses", [](auto& c) -> auto& { return c.limits.blocked_addresses; }, {0, 100'000},
      "Addresses that an account may block.");
  table.rate(
      "abuse_reports", [](auto& c) -> auto& { return c.limits.abuse_reports; }, false,
      "Reports of abuse from one account that reach the administrators.");
  table.count(
      "held_stanzas", [](auto& c) -> auto& { return c.limits.held_stanzas; }, {0, 100'000},
      "Stanzas held back from a client that is inactive; when there are more, all of them leave.");
  table.size(
      "held_bytes", [](auto& c) -> auto& { return c.limits.held_bytes; }, {0, 16 * mib}, "What these may take in all.");
  table.size(
      "private_xml_bytes", [](auto& c) -> auto& { return c.limits.private_xml_bytes; }, {0, 16 * mib},
      "One entry of an account's private XML storage (XEP-0049).");
  table.count(
      "private_xml_entries", [](auto& c) -> auto& { return c.limits.private_xml_entries; }, {0, 100'000},
      "Entries in it.");
  table.size(
      "vcard_bytes", [](auto& c) -> auto& { return c.limits.vcard_bytes; }, {0, 16 * mib},
      "A vCard with its picture (XEP-0054).");
  table.count(
      "pubsub_nodes", [](auto& c) -> auto& { return c.limits.pubsub_nodes; }, {1, 100'000},
      "Nodes (avatar, bookmarks, keys for encryption and the like) of an account (XEP-0163).");
  table.count(
      "pubsub_items", [](auto& c) -> auto& { return c.limits.pubsub_items; }, {1, 100'000}, "Items that a node keeps.");
  table.size(
      "pubsub_item_bytes", [](auto& c) -> auto& { return c.limits.pubsub_item_bytes; }, {1024, 16 * mib}, "One item.");
  table.size(
      "avatar_bytes", [](auto& c) -> auto& { return c.limits.avatar_bytes; }, {1024, 16 * mib},
      "The item that is an avatar (XEP-0084), in base64.");
  table.size(
      "pubsub_owner_bytes", [](auto& c) -> auto& { return c.limits.pubsub_owner_bytes; }, {1024, 1024 * mib},
      "All items of an account.");
  table.count(
      "pubsub_people", [](auto& c) -> auto& { return c.limits.pubsub_people; }, {0, 100'000},
      "Addresses that a node lists as subscribers, publishers and the like.");
  table.count(
      "pep_watchers", [](auto& c) -> auto& { return c.limits.pep_watchers; }, {0, 1'000'000},
      "Clients of an account's contacts that hear of its nodes while they are online.");
  table.count(
      "pep_questions", [](auto& c) -> auto& { return c.limits.pep_questions; }, {1, 1'000'000},
      "Clients that are being asked what they want to hear of, at a time and thread.");
  table.count(
      "push_registrations", [](auto& c) -> auto& { return c.limits.push_registrations; }, {0, 10'000},
      "Push services that an account may have enabled (XEP-0357).");
  table.rate(
      "push_notifications", [](auto& c) -> auto& { return c.limits.push_notifications; }, false,
      "Notifications to one of them.");
  table.count(
      "room_occupants", [](auto& c) -> auto& { return c.limits.room_occupants; }, {1, 100'000},
      "Occupants of a room, and clients in it.");
  table.count(
      "room_people", [](auto& c) -> auto& { return c.limits.room_people; }, {1, 1'000'000},
      "Owners, admins, members and outcasts of a room together.");
  table.size(
      "room_nick_bytes", [](auto& c) -> auto& { return c.limits.room_nick_bytes; }, {16, 1023},
      "The name that an occupant has in a room.");
  table.size(
      "room_subject_bytes", [](auto& c) -> auto& { return c.limits.room_subject_bytes; }, {64, 64 * kib},
      "A room's subject.");
  table.rate(
      "room_messages", [](auto& c) -> auto& { return c.limits.room_messages; }, false,
      "Messages in one room, of all occupants together.");
  table.rate(
      "room_creations", [](auto& c) -> auto& { return c.limits.room_creations; }, false,
      "Rooms that one account makes.");
  table.rate(
      "room_archive_queries", [](auto& c) -> auto& { return c.limits.room_archive_queries; }, false,
      "Pages that one person reads of rooms' archives.");
  table.rate(
      "bytes_from_server", [](auto& c) -> auto& { return c.limits.bytes_from_server; }, true,
      "Bytes from another server on one stream; beyond it, it has to wait.");
  table.count(
      "s2s_streams", [](auto& c) -> auto& { return c.limits.s2s_streams; }, {1, 100'000},
      "Streams that other servers may have open, on each thread.");
  table.count(
      "s2s_streams_per_domain", [](auto& c) -> auto& { return c.limits.s2s_streams_per_domain; }, {1, 100'000},
      "The same with stanzas from one domain.");
  table.count(
      "s2s_links", [](auto& c) -> auto& { return c.limits.s2s_links; }, {1, 100'000},
      "Streams to other servers at a time and thread.");
  table.count(
      "s2s_queue_stanzas", [](auto& c) -> auto& { return c.limits.s2s_queue_stanzas; }, {1, 1'000'000},
      "Stanzas that wait for a stream to another server.");
  table.size(
      "s2s_queue_bytes", [](auto& c) -> auto& { return c.limits.s2s_queue_bytes; }, {64 * 1024, 1024 * mib},
      "What these may take in all.");
  table.duration(
      "s2s_dial_time", [](auto& c) -> auto& { return c.limits.s2s_dial_time; }, seconds(1), hours(1),
      "After which a server that could not be reached is given up.");
  table.duration(
      "s2s_retry_time", [](auto& c) -> auto& { return c.limits.s2s_retry_time; }, seconds(0), hours(24),
      "For which it is not tried again.");
  table.duration(
      "s2s_idle_time", [](auto& c) -> auto& { return c.limits.s2s_idle_time; }, seconds(10), hours(24 * 7),
      "After which a stream with another server that nobody uses ends.");
  table.duration(
      "s2s_wait_time", [](auto& c) -> auto& { return c.limits.s2s_wait_time; }, seconds(0), hours(24 * 30),
      "How long a message waits for a server that can't be reached, before it comes back to its sender; with 0 s, it "
      "comes back at once.");
  table.duration(
      "s2s_longest_pause", [](auto& c) -> auto& { return c.limits.s2s_longest_pause; }, seconds(1), hours(24),
      "To which the pauses grow between two attempts to reach a server for which messages wait.");
  table.count(
      "s2s_waiting_messages", [](auto& c) -> auto& { return c.limits.s2s_waiting_messages; }, {0, 10'000'000},
      "Messages that wait for one server, of one domain of this one.");
  table.size(
      "s2s_waiting_bytes", [](auto& c) -> auto& { return c.limits.s2s_waiting_bytes; }, {0, 1024 * gib},
      "What these may take on the disk.");
  table.size(
      "s2s_waiting_bytes_in_all", [](auto& c) -> auto& { return c.limits.s2s_waiting_bytes_in_all; }, {0, 1024 * gib},
      "What the messages for all other servers may take.");
  table.size(
      "s2s_waiting_bytes_per_account", [](auto& c) -> auto& { return c.limits.s2s_waiting_bytes_per_account; },
      {0, 1024 * gib}, "What those of them may take that one account has sent.");
  table.rate(
      "registrations_per_address", [](auto& c) -> auto& { return c.limits.registrations_per_address; }, false,
      "Accounts that may be made from one address, where registration is open.");
  table.at_start().count(
      "mailbox_items", [](auto& c) -> auto& { return c.limits.mailbox_items; }, {64, 16'777'216},
      "Stanzas on their way from one thread to another; beyond it, senders are asked to wait.");
  table.size(
      "http_head_bytes", [](auto& c) -> auto& { return c.limits.http_head_bytes; }, {4 * kib, mib},
      "The head of an HTTP request; one line of it may be a quarter of that.");
  table.count("http_fields", [](auto& c) -> auto& { return c.limits.http_fields; }, {16, 1000}, "Headers in it.");
  table.duration(
      "http_head_time", [](auto& c) -> auto& { return c.limits.http_head_time; }, seconds(1), hours(1),
      "How long the head of an HTTP request may take.");
  table.duration(
      "http_idle_time", [](auto& c) -> auto& { return c.limits.http_idle_time; }, seconds(1), hours(1),
      "How long an HTTP connection may wait for its next request.");
  table.duration(
      "http_progress_time", [](auto& c) -> auto& { return c.limits.http_progress_time; }, seconds(1), hours(1),
      "The time in which http_progress_bytes of a body must come, or of an answer leave.");
  table.size(
      "http_progress_bytes", [](auto& c) -> auto& { return c.limits.http_progress_bytes; }, {1, gib},
      "How much that is; an HTTP connection that is slower ends.");
  table.rate(
      "http_requests_per_address", [](auto& c) -> auto& { return c.limits.http_requests_per_address; }, false,
      "HTTP requests from one IPv4 address or one IPv6 /64.");
  table.count(
      "websocket_fragments", [](auto& c) -> auto& { return c.limits.websocket_fragments; }, {1, 100'000},
      "Frames that one message on a WebSocket may come in.");
  table.rate(
      "websocket_pings", [](auto& c) -> auto& { return c.limits.websocket_pings; }, false,
      "Pings on a WebSocket; a client that sends more is let go.");
  table.count(
      "account_queue_stanzas", [](auto& c) -> auto& { return c.limits.account_queue_stanzas; }, {1, 1'000'000},
      "Stanzas that wait while an account is loaded.");
  table.duration(
      "account_idle_time", [](auto& c) -> auto& { return c.limits.account_idle_time; }, seconds(1), hours(24 * 7),
      "After which an account that nobody uses is dropped from memory.");
  add_xml_limits(table, "limits.xml_before_login", [](auto& c) -> auto& { return c.limits.xml_before_login; });
  add_xml_limits(table, "limits.xml_after_login", [](auto& c) -> auto& { return c.limits.xml_after_login; });
}

}  // namespace kith::server
