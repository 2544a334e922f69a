/* What really leaves after a decision: the object less what is removed, under an id of its own.
 *
 * A redacted copy is another object (STIX 2.1, 3.6: only its creator makes versions of an object),
 * so it has another id: the same whenever the same is removed from the same version under the same
 * agreement, so that sending it twice makes no second object.  "x_entente_removed" names what is
 * gone.  Granular markings go with what they marked, and point to where the rest stands now.
 */
#pragma once

#include "agreement/decide.h"
#include "base/uuid.h"

/* "type--UUIDv5" of agreement, original id, version and what was removed (docs/FORMATS.md). */
struct uuid redaction_id(slice agreement, slice id, slice version, const slice *removed,
                         size_t removed_count);

/* Writes the object as `decision` lets it go: VERDICT_SHARE as it is, VERDICT_REDACT without what
 * is removed.  A recall keeps its id, for it speaks of that very object, and is not checked as an
 * object, for it holds no more than which version is withdrawn.
 *
 * Fails ERR_DENIED for a refusal or a hold; ERR_INVALID when what remains is no STIX object any
 * more (then nothing may leave); ERR_LIMIT past the arena or out's ceiling.  On failure *out is
 * unspecified and must not be sent. */
MUST_USE result agreement_redact(const struct agreement *agreement, struct value object,
                                 const struct decision *decision, struct arena *arena,
                                 struct buf *out, struct diag *diag);
