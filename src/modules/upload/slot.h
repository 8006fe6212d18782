// What a slot for an upload is bound to, and how files are shown to browsers. Pure functions; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "module/http.h"

namespace kith::modules {

/// What a client may put where, until when.
struct Slot {
  std::string id;
  std::string name;
  std::uint64_t bytes = 0;
  std::int64_t until = 0;  ///< seconds since 1970
};

/// The query of the address to put at: what the slot is bound to, and the proof that this server has made it.
std::string slot_query(const Secret& key, const Slot& slot);
/// The slot that `query` speaks of, if its proof is true. SECURITY: compared in constant time.
std::optional<Slot> read_slot(const Secret& key, const std::string& id, const std::string& name,
                              const module::HttpRequest& request);

/// The file's name as it may stand in an address: the last part of a path, without control characters, of at most
/// `most_name_bytes`; "file" if nothing is left.
inline constexpr std::size_t most_name_bytes = 200;
std::string clean_name(std::string_view name);

/// "image/png" of "Image/PNG; charset=x"; empty if it is no media type.
std::string media_type(std::string_view field);

/// The headers with which a file of this type and name is shown: nothing that a browser would run. Others may keep a
/// copy for no longer than `left`, which the file still has.
std::vector<module::HttpField> file_fields(std::string_view type, std::string_view name, std::chrono::seconds left);

}  // namespace kith::modules
