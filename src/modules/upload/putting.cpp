#include "modules/upload/putting.h"

#include <algorithm>
#include <utility>

#include "modules/upload/upload.h"

namespace kith::modules {

using module::HttpReply;

/// What the connection holds: when it lets go, the file is given up unless it is complete.
class Putting::Body final : public module::HttpBody {
 public:
  explicit Body(std::shared_ptr<Putting> putting) : putting_(std::move(putting)) {}
  ~Body() override {
    if (putting_->complete_) return;
    putting_->over_ = true;
    putting_->writer_.reset();
  }
  void take(std::string_view bytes) override { putting_->take(bytes); }
  void end() override { putting_->end(); }

 private:
  std::shared_ptr<Putting> putting_;
};

void Putting::begin(const Deps& deps, const Slot& slot, module::HttpExchange exchange) {
  const auto self = std::make_shared<Putting>(deps, slot, std::move(exchange));
  // Nothing of the body is read before it is known that there is a place for it.
  self->held_ = true;
  self->exchange_.hold_body(true);
  self->exchange_.take_body(std::make_unique<Body>(self));
  self->look_up();
}

void Putting::fail(int status, std::string_view words) {
  if (std::exchange(over_, true)) return;
  writer_.reset();
  waiting_ = {};
  exchange_.reply(HttpReply::text(status, words));
}

void Putting::look_up() {
  deps_.uploads.find(
      slot_.id, [self = shared_from_this()](storage::Result<std::optional<storage::UploadRecord>> found) {
        if (self->over_) return;
        if (!found) return self->fail(503, "The file cannot be taken now. Try again later.");
        if (!*found || (*found)->account.empty()) return self->fail(410, "This place for a file is no more.");
        if ((*found)->stored) return self->fail(409, "The file is here already.");
        if ((*found)->name != self->slot_.name || (*found)->bytes != self->slot_.bytes) {
          return self->fail(403, "This is no address to put a file at.");
        }
        self->record_ = **found;
        const std::string given = media_type(self->exchange_.request().field("content-type").value_or(""));
        // XEP-0363 §7.
        if (!self->record_.type.empty() && !given.empty() && given != self->record_.type) {
          return self->fail(400, "The file is of another type than was said.");
        }
        if (self->record_.type.empty()) self->record_.type = given;
        self->deps_.uploads.begun(self->slot_.id, self->deps_.now + Upload::longest_upload,
                                  [self](storage::Result<bool> begun) {
                                    if (self->over_) return;
                                    if (!begun)
                                      return self->fail(503, "The file cannot be taken now. Try again later.");
                                    if (!*begun) return self->fail(410, "This place for a file is no more.");
                                    self->create();
                                  });
      });
}

void Putting::create() {
  deps_.files.create([self = shared_from_this()](storage::Result<std::unique_ptr<storage::FileWriter>> writer) {
    if (self->over_) return;
    if (!writer) return self->fail(503, "The file cannot be taken now. Try again later.");
    self->writer_ = *std::move(writer);
    if (self->complete_) return self->write_on();
    self->held_ = false;
    self->exchange_.hold_body(false);
  });
}

void Putting::take(std::string_view bytes) {
  if (over_) return;
  waiting_.append(bytes);
  if (waiting_.size() >= Upload::piece_bytes && !held_) {
    held_ = true;
    exchange_.hold_body(true);
  }
  if (!writing_) write_on();
}

void Putting::end() {
  complete_ = true;
  if (!writing_) write_on();
}

void Putting::write_on() {
  if (over_ || !writer_ || writing_) return;
  if (waiting_.empty()) {
    if (complete_) keep();
    return;
  }
  // OPTIMIZATION: small pieces wait for more, as long as more comes.
  if (waiting_.size() < Upload::piece_bytes / 4 && !complete_) return;
  writing_ = true;
  writer_->write(std::exchange(waiting_, {}), [self = shared_from_this()](storage::Result<bool> written) {
    self->writing_ = false;
    if (self->over_) return;
    if (!written) {
      const bool full = written.error() == storage::StorageError::full;
      return self->fail(full ? 507 : 503,
                        full ? "The disk is full." : "The file cannot be taken now. Try again later.");
    }
    if (std::exchange(self->held_, false)) self->exchange_.hold_body(false);
    self->write_on();
  });
}

void Putting::keep() {
  writing_ = true;
  writer_->keep(slot_.id, [self = shared_from_this()](storage::Result<bool> kept) {
    if (self->over_) return;
    if (!kept) return self->fail(507, "The file cannot be kept. Try again later.");
    if (!*kept) return self->fail(409, "The file is here already.");
    self->enter();
  });
}

WallTime Putting::end_of_file() const {
  const auto usual = record_.purpose == "profile" ? std::max(deps_.profile, deps_.keep) : deps_.keep;
  return std::min<WallTime>(deps_.now + usual, record_.expire_before);
}

void Putting::enter() {
  deps_.uploads.stored(
      slot_.id, record_.type, end_of_file(), [self = shared_from_this()](storage::Result<bool> stored) {
        if (self->over_) return;
        if (stored && *stored) {
          self->over_ = true;
          self->writer_.reset();
          self->deps_.done.add();
          return self->exchange_.reply(HttpReply::text(201, "The file is here."));
        }
        // Its account has gone meanwhile, or the database fails: nobody will ask for it.
        self->deps_.files.remove(self->slot_.id, [](storage::Result<bool>) {});
        self->fail(stored ? 410 : 503, stored ? "This place for a file is no more." : "The file cannot be kept now.");
      });
}

}  // namespace kith::modules
