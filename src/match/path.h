/* Object paths followed through an observation: properties, lists, dictionaries, references. */
#pragma once

#include "match/compare.h"

/* Leaves in comparer->now every node the path leads to (STIX 2.1, 9.7).  False when memory is out.
 */
MUST_USE bool path_follow(struct comparer *comparer, const struct pattern_path *path,
                          const struct observation *observation,
                          const struct observed_object *object);
