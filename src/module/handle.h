// A way back to an account or a session from a callback that may come when it has gone.
// Same shard only. Costs one small allocation for each account or session that anybody waits for.
#pragma once

#include <memory>

namespace kith::module {

/// Says whether its owner (an Account or a Session) still lives, and where.
template <class Owner>
class Handle {
 public:
  Handle() = default;
  explicit Handle(Owner& owner) {
    std::shared_ptr<Owner*>& life = owner.attachments().template get<Life>().self;
    if (!life) life = std::make_shared<Owner*>(&owner);
    life_ = life;
  }
  /// The owner, or null if it is no more.
  Owner* get() const {
    const std::shared_ptr<Owner*> life = life_.lock();
    return life ? *life : nullptr;
  }

 private:
  // Ends with the owner's attachments.
  struct Life {
    std::shared_ptr<Owner*> self;
  };
  std::weak_ptr<Owner*> life_;
};

}  // namespace kith::module
