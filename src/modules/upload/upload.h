// File upload (XEP-0363 v1.2.0): a client asks for a slot, and puts the file at one address by HTTP that others get at
// another. The service is at a name below each domain (upload.DOMAIN); its files' addresses are those of the domain, or
// of that name. Lives on each shard; slots and files are in the UploadStore and the FileStore, so that any shard can
// answer.
//
// SECURITY: a slot is for one file of that name and size, for a time, by an HMAC that only this server can make, and
// once, by the UploadStore. A file's address cannot be guessed. What a browser gets is nothing that it would run: no
// sniffing, a sandbox, and a download for all that is no picture, sound, film or plain text.
//
// Limits: bytes of a file and of an account's day (the settings); `most_name_bytes`; a body waits in memory with
// `piece_bytes` while it is written. Besides the size that is announced, 16 bytes more are taken, for what encryption
// adds.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "module/module.h"
#include "modules/upload/slot.h"
#include "storage/files.h"
#include "storage/uploads.h"

namespace kith::modules {

class Upload final : public module::Module, private module::Service {
 public:
  static constexpr std::string_view ns_upload = "urn:xmpp:http:upload:0";
  static constexpr std::string_view ns_purpose = "urn:xmpp:http:upload:purpose:0";
  static constexpr std::string_view path = "/upload";
  static constexpr std::size_t piece_bytes = 256 * 1024;
  /// AES-GCM's tag (XEP-0454).
  static constexpr std::uint64_t encryption_bytes = 16;
  /// A slot that is in use does not end before that.
  static constexpr std::chrono::hours longest_upload{24};
  static constexpr std::size_t swept_at_once = 100;
  static constexpr Duration sweep_every = std::chrono::minutes(10);
  /// How long what belongs to a profile stays (§5.2): nobody sends it again.
  static constexpr std::chrono::days profile_time{366};

  static constexpr module::Descriptor descriptor{
      .name = "upload",
      .summary = "Files that are shared by their address",
      .specs = {{.xep = 363, .version = "1.2.0", .note = "the purposes message, profile and ephemeral"}},
      .settings =
          {
              {.key = "prefix",
               .type = module::Setting::Type::text,
               .fallback = "\"upload\"",
               .help = "The service is at this name below each domain: upload.example.org."},
              {.key = "own_host",
               .type = module::Setting::Type::boolean,
               .fallback = "false",
               .help = "Whether files are at https://upload.example.org and not at https://example.org. Then DNS and a "
                       "certificate must know that name."},
              {.key = "file_bytes",
               .type = module::Setting::Type::integer,
               .unit = "bytes",
               .fallback = "26214400",
               .least = 1,
               .most = 1'099'511'627'776,
               .help = "The most that one file may have."},
              {.key = "daily_bytes",
               .type = module::Setting::Type::integer,
               .unit = "bytes",
               .fallback = "524288000",
               .least = 1,
               .most = 1'099'511'627'776,
               .help = "The most that an account may upload within 24 hours."},
              {.key = "keep_days",
               .type = module::Setting::Type::integer,
               .unit = "days",
               .fallback = "30",
               .least = 1,
               .most = 36'500,
               .help = "After which a file is deleted; pictures of profiles stay for a year."},
              {.key = "slot_seconds",
               .type = module::Setting::Type::integer,
               .unit = "seconds",
               .fallback = "900",
               .least = 60,
               .most = 86'400,
               .help = "How long a client may wait until it begins to upload what it has asked for."},
          },
  };

  explicit Upload(const module::ModuleDeps& deps);
  void attach(module::Hooks& hooks) override;
  void configure(const module::Settings& settings) override;

 private:
  bool owns(std::string_view domainpart) const override;
  void receive(xmpp::Stanza stanza, storage::Ticket gate, Settled settled) override;
  void describe(const xmpp::Stanza& request);
  void give_slot(const xmpp::Stanza& request);
  void refuse(const xmpp::Stanza& request, const xmpp::StanzaError& error);
  module::Outcome add_item(module::DiscoItems& event);
  void account_gone(module::AccountGone& event);

  void serve(module::HttpExchange exchange);
  void get(module::HttpExchange exchange, const std::string& id, const std::string& name);
  void put(module::HttpExchange exchange, const std::string& id, const std::string& name);
  void sweep();
  void swept(const std::string& id);

  const module::ModuleDeps deps_;
  Secret key_;
  std::string prefix_;
  bool own_host_ = false;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t daily_bytes_ = 0;
  std::chrono::days keep_{};
  std::chrono::seconds slot_time_{};
  Timer sweep_;
  Counter& uploads_;
};

}  // namespace kith::modules
