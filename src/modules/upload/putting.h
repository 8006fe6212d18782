// One file on its way in: from the body of a request, piece by piece, to the disk. Lives on the connection's shard.
// What does not come to its end leaves nothing: the writer goes with this, and its draft with it.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/events.h"
#include "module/http.h"
#include "modules/upload/slot.h"
#include "storage/files.h"
#include "storage/uploads.h"

namespace kith::modules {

class Putting : public std::enable_shared_from_this<Putting> {
 public:
  struct Deps {
    storage::UploadStore& uploads;
    storage::FileStore& files;
    WallTime now;
    std::chrono::days keep;
    std::chrono::days profile;
    Counter& done;
  };
  /// Looks the slot up, takes the body, writes the file and answers. The slot's proof and length were looked at.
  static void begin(const Deps& deps, const Slot& slot, module::HttpExchange exchange);

  Putting(const Deps& deps, const Slot& slot, module::HttpExchange exchange)
      : deps_(deps), slot_(slot), exchange_(std::move(exchange)) {}

 private:
  class Body;
  void look_up();
  void create();
  void take(std::string_view bytes);
  void end();
  void write_on();
  void keep();
  void enter();
  void fail(int status, std::string_view words);
  WallTime end_of_file() const;

  const Deps deps_;
  const Slot slot_;
  module::HttpExchange exchange_;
  storage::UploadRecord record_;
  std::unique_ptr<storage::FileWriter> writer_;
  std::string waiting_;  ///< bytes that are not given to the writer yet
  bool writing_ = false;
  bool held_ = false;
  bool complete_ = false;
  bool over_ = false;  ///< answered, or the client has gone
};

}  // namespace kith::modules
