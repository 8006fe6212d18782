// The numbered steps that bring a database file to this program's schema. They run at start-up, all in one transaction,
// after a copy of the file was made (only if the file existed with an earlier schema). A step, once released, is never
// changed: a new one is added behind it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/events.h"
#include "storage/sqlite/db.h"

namespace kith::storage::sqlite {

struct Migration {
  std::int64_t version;  ///< what PRAGMA user_version is afterwards; the script sets it
  Sql script;
};

/// All steps in order, 1, 2, 3 …
std::span<const Migration> migrations();

/// Brings `db`, which lies at `path`, to the version of the last of `steps`. Throws Unusable if the file is from a
/// newer Kith, is not Kith's, or a step fails; the file is as it was then. The copy is PATH.before-vN, mode 0600.
void migrate(Db& db, const std::string& path, Events& events, std::span<const Migration> steps = migrations());

}  // namespace kith::storage::sqlite
