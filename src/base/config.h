/* Settings: one line each in settings.def, read from YAML, checked whole.
 *
 * A SETTING line makes the field of `struct config`, its default, bounds, parser,
 * the `entente config` listing and the refusal an operator reads.  A file is read
 * whole, checked whole, then used in place of the old one whole; a bad one leaves
 * the old one running.  Unknown keys and values out of range are refused with line
 * and column.  Secrets are never settings: they live in files of their own.
 *
 *     # entente.yaml
 *     listen: "0.0.0.0:6443"
 *     http_threads: 4
 */
#pragma once

#include "base/buf.h"
#include "base/result.h"

#define CONFIG_TEXT_BYTES_MAX 1024
#define CONFIG_WORD_BYTES_MAX 32
#define CONFIG_FILE_BYTES_MAX 1048576

struct config {
#define SETTING_SIZE(name, least, most, fallback, unit, help) size_t name;
#define SETTING_TEXT(name, fallback, help) char name[CONFIG_TEXT_BYTES_MAX];
#define SETTING_BOOL(name, fallback, help) bool name;
#define SETTING_WORD(name, words, fallback, help) char name[CONFIG_WORD_BYTES_MAX];
#define SETTING_ADDRESS(name, fallback, help) char name[CONFIG_TEXT_BYTES_MAX];
#include "base/settings.def"
#undef SETTING_SIZE
#undef SETTING_TEXT
#undef SETTING_BOOL
#undef SETTING_WORD
#undef SETTING_ADDRESS
};

/* Every setting at its default. */
void config_defaults(struct config *out);

/* Read path over the defaults.  Fails ERR_MISSING when there is no such file,
 * ERR_INVALID with "path:line:column: ..." for an unknown key, a value of the wrong kind
 * or out of bounds.  On failure *out is untouched. */
MUST_USE result config_load(const char *path, struct config *out, struct diag *diag);

/* What no single setting can tell: settings that contradict each other.  config_load asks it;
 * so does whoever uses config_set. */
MUST_USE result config_check(const struct config *config, struct diag *diag);

/* Set one by its name, as --set name=value does.  ERR_MISSING when there is none of this name,
 * ERR_INVALID: `http_threads = "0": takes 1 to 256 threads`.  On failure nothing is changed. */
MUST_USE result config_set(struct config *config, slice name, slice value, struct diag *diag);

/* Walk the settings: name, value as text, default as text, bounds in words ("1 to 86400
 * seconds"), help.  False past the last. */
struct config_item {
    const char *name, *help, *unit, *kind; /* kind: "size", "text", "bool", "word", "address" */
    char value[CONFIG_TEXT_BYTES_MAX], fallback[CONFIG_TEXT_BYTES_MAX], bounds[128];
};
bool config_item_at(const struct config *config, size_t index, struct config_item *out);
