// A scenario (.scs): a conversation as text. The format is the one of Prosody's scenario scripts, read as they stand,
// with additions of ours:
//
//   # a comment; the first one is the title
//   ## strict                         a tag; we know this one (matcher.h), others are passed over
//   [Client] Romeo
//       jid: romeo@example.org        password: … (tab- or space-indented lines)
//   -----
//   Romeo connects                    logs in and binds
//   Romeo sends:                      + an indented stanza
//   Romeo receives:                   + an indented stanza; the next thing that Romeo gets must match it
//   Romeo receives: nothing           nothing is waiting for Romeo; also without the colon
//   Romeo ignores the rest            ours: drops what is waiting for Romeo
//   Romeo disconnects                 closes the stream;  'Romeo vanishes' (ours) cuts the connection without a word
//   wait 5 minutes                    ours: virtual time goes by (seconds, minutes, hours, days)
//   restart server                    ours: everything in memory goes, the storage stays
//   the disk is full / the disk works ours: writes fail / succeed again
//
// In stanzas: ${Romeo's JID}, ${Romeo's full JID}; as an attribute value or text {scansion:any} and
// {scansion:capture:NAME} (the first match takes the value, later ones must be the same); scansion:strict='false' on an
// element allows more attributes and children than written.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace kith::scenario {

struct ClientEntry {
  std::string name;
  std::string jid;
  std::string password = "password";
  std::string resource{};
};

struct Step {
  enum class Kind {
    connects,
    sends,
    receives,
    receives_nothing,
    ignores,
    disconnects,
    vanishes,
    wait,
    restart,
    disk_full,
    disk_works
  };
  Kind kind;
  std::string client{};
  std::string stanza{};
  long seconds = 0;
  int line = 0;
};

struct Script {
  std::string title;
  bool strict = false;
  std::vector<ClientEntry> clients;
  std::vector<Step> steps;
};

/// The script, or one sentence that says which line is wrong.
std::expected<Script, std::string> parse_script(std::string_view text);

}  // namespace kith::scenario
