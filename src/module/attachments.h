// A feature's own state on an account or session, found by its type: `session.attachments().get<CarbonsState>()`.
#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace kith::module {

class Attachments {
 public:
  /// The state of this type, made by its default constructor when first asked for.
  template <class T>
  T& get() {
    if (T* found = find<T>()) return *found;
    slots_.emplace_back(key<T>(), Slot(new T(), [](void* state) { delete static_cast<T*>(state); }));
    return *static_cast<T*>(slots_.back().second.get());
  }
  /// The state of this type if it was made, or null.
  template <class T>
  T* find() const {
    for (const auto& [type, state] : slots_) {
      if (type == key<T>()) return static_cast<T*>(state.get());
    }
    return nullptr;
  }

 private:
  using Slot = std::unique_ptr<void, void (*)(void*)>;
  template <class T>
  static const void* key() {
    static const char unique = 0;
    return &unique;
  }
  std::vector<std::pair<const void*, Slot>> slots_;
};

}  // namespace kith::module
