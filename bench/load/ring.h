// Who is whose contact in the loads about presence: the accounts stand in a ring, and each has its nearest neighbours
// on both sides as contacts, so that all have the same number and every relation is mutual.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kith::bench {

class Ring {
 public:
  /// Throws StepFailed unless 2 ≤ contacts < accounts, and contacts is even.
  Ring(unsigned first, unsigned accounts, unsigned contacts);

  unsigned accounts() const { return accounts_; }
  unsigned contacts() const { return contacts_; }
  /// How many of the contacts stand ahead: those that an account asks, while it is asked by the others.
  unsigned ahead() const { return contacts_ / 2; }
  /// The place of the neighbour so many places ahead.
  unsigned neighbour(unsigned place, unsigned distance) const { return (place + distance) % accounts_; }
  bool is_ahead(unsigned of, unsigned place) const;
  std::string user(unsigned place) const;
  /// The place of the account with this address (bare or full); nothing for one outside of the ring.
  std::optional<unsigned> place_of(std::string_view jid) const;

 private:
  unsigned first_;
  unsigned accounts_;
  unsigned contacts_;
};

}  // namespace kith::bench
