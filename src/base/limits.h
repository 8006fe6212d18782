// Every limit that a peer can run into, with its default, in one place. The units are in the names.
// server/ reads the [limits] section of kith.toml into it.
#pragma once

#include <chrono>
#include <cstddef>

#include "base/token_bucket.h"

namespace kith {

/// What one XML element at the stream's first level (a stanza) may grow to.
struct XmlLimits {
  std::size_t element_bytes = 10 * 1024;
  std::size_t depth = 8;                         ///< the element itself is the first; never more than 512
  std::size_t attributes = 32;                   ///< of one tag, namespace declarations included
  std::size_t name_bytes = 256;                  ///< of a name or a namespace
  std::size_t attribute_value_bytes = 4 * 1024;  ///< as sent, before references are resolved
  std::size_t children = 64;                     ///< elements inside the element, at all depths together
  std::size_t tree_bytes = 48 * 1024;            ///< what its tree takes, beside texts and values
};

struct Limits {
  XmlLimits xml_before_login{};
  XmlLimits xml_after_login{.element_bytes = 256 * 1024,
                            .depth = 64,
                            .attributes = 64,
                            .name_bytes = 512,
                            .attribute_value_bytes = 64 * 1024,
                            .children = 10'000,
                            .tree_bytes = 2 * 1024 * 1024};

  std::chrono::seconds tls_handshake_time{10};
  std::chrono::seconds login_time{30};
  std::chrono::seconds bind_time{30};
  std::chrono::seconds idle_ping_time{300};
  std::chrono::seconds idle_answer_time{60};

  std::size_t connections = 19'000;
  std::size_t connections_per_address = 500;
  std::size_t unauthenticated_per_address = 100;
  Rate connections_per_address_rate{.per_second = 10, .burst = 50};

  std::size_t failed_logins_per_stream = 5;
  Rate failed_logins_per_address_rate{.per_second = 10.0 / 60, .burst = 10};
  Rate failed_logins_per_account_rate{.per_second = 30.0 / 60, .burst = 30};
  std::size_t hash_jobs_waiting = 64;

  Rate bytes_before_login{.per_second = 32.0 * 1024, .burst = 64.0 * 1024};
  Rate bytes_after_login{.per_second = 128.0 * 1024, .burst = 1024.0 * 1024};
  Rate stanzas{.per_second = 50, .burst = 500};
  Rate subscription_requests{.per_second = 10.0 / 60, .burst = 30};

  std::size_t sessions_per_account = 20;
  std::size_t outbox_bytes_before_login = 64 * 1024;
  std::size_t outbox_bytes_after_login = 4 * 1024 * 1024;

  std::size_t archive_preference_addresses = 1000;
  std::chrono::seconds fast_token_time{std::chrono::hours(24 * 21)};
  std::size_t fast_clients_per_account = 20;
  std::size_t sm_queue_stanzas = 500;
  std::size_t sm_queue_bytes = 4 * 1024 * 1024;
  std::chrono::seconds sm_resume_time{600};
  std::size_t sm_hibernating_per_account = 10;

  std::size_t offline_messages = 1000;
  std::size_t offline_bytes = 20 * 1024 * 1024;
  std::size_t roster_items = 2000;
  std::size_t roster_groups_per_item = 32;
  std::size_t roster_name_bytes = 1023;
  std::size_t roster_bytes = 512 * 1024;  ///< names, groups and addresses together: a roster leaves in one stanza
  std::size_t pending_subscription_requests = 200;
  std::size_t directed_presences = 500;
  std::size_t blocked_addresses = 2000;
  Rate abuse_reports{.per_second = 10.0 / 3600, .burst = 10};
  std::size_t held_stanzas = 500;
  std::size_t held_bytes = 256 * 1024;
  std::size_t private_xml_bytes = 64 * 1024;
  std::size_t private_xml_entries = 200;
  std::size_t vcard_bytes = 64 * 1024;

  std::size_t pubsub_nodes = 200;
  std::size_t pubsub_items = 1000;
  std::size_t pubsub_item_bytes = 64 * 1024;
  std::size_t avatar_bytes = 256 * 1024;
  std::size_t pubsub_owner_bytes = 64 * 1024 * 1024;
  std::size_t pubsub_people = 1000;
  std::size_t pep_watchers = 5000;
  std::size_t pep_questions = 2000;
  std::size_t push_registrations = 20;
  Rate push_notifications{.per_second = 1, .burst = 20};

  std::size_t room_occupants = 500;
  std::size_t room_people = 5000;
  std::size_t room_nick_bytes = 128;
  std::size_t room_subject_bytes = 2048;
  Rate room_messages{.per_second = 20, .burst = 100};
  Rate room_creations{.per_second = 10.0 / 3600, .burst = 10};
  Rate room_archive_queries{.per_second = 10, .burst = 100};

  Rate bytes_from_server{.per_second = 1024.0 * 1024, .burst = 8.0 * 1024 * 1024};
  std::size_t s2s_streams = 200;
  std::size_t s2s_streams_per_domain = 10;
  std::size_t s2s_links = 2000;
  std::size_t s2s_queue_stanzas = 1000;
  std::size_t s2s_queue_bytes = 4 * 1024 * 1024;
  std::chrono::seconds s2s_dial_time{30};
  std::chrono::seconds s2s_retry_time{10};
  std::chrono::seconds s2s_idle_time{900};
  std::chrono::seconds s2s_wait_time{std::chrono::hours(72)};
  std::chrono::seconds s2s_longest_pause{std::chrono::hours(1)};
  std::size_t s2s_waiting_messages = 10'000;
  std::size_t s2s_waiting_bytes = 50 * 1024 * 1024;
  std::size_t s2s_waiting_bytes_in_all = 500 * 1024 * 1024;
  std::size_t s2s_waiting_bytes_per_account = 20 * 1024 * 1024;

  std::size_t http_head_bytes = 16 * 1024;  ///< the request line among them, which may be a quarter
  std::size_t http_fields = 64;
  std::chrono::seconds http_head_time{10};
  std::chrono::seconds http_idle_time{60};
  std::chrono::seconds http_progress_time{30};  ///< in which so much must come, or go:
  std::size_t http_progress_bytes = 16 * 1024;
  Rate http_requests_per_address{.per_second = 50, .burst = 500};
  std::size_t websocket_fragments = 100;
  Rate websocket_pings{.per_second = 10, .burst = 20};

  Rate registrations_per_address{.per_second = 3.0 / 3600, .burst = 3};

  std::size_t mailbox_items = 65'536;
  std::size_t account_queue_stanzas = 1000;
  std::chrono::seconds account_idle_time{120};
};

}  // namespace kith
