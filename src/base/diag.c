#define DIAG_IS_HERE
#include "base/result.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"

#include "base/banned.h"

const char *err_name(enum err code)
{
    switch (code) {
    case ERR_NONE:
        return "none";
    case ERR_INVALID:
        return "invalid";
    case ERR_LIMIT:
        return "limit";
    case ERR_MISSING:
        return "missing";
    case ERR_CONFLICT:
        return "conflict";
    case ERR_DENIED:
        return "denied";
    case ERR_IO:
        return "io";
    case ERR_CORRUPT:
        return "corrupt";
    }
    return "unknown";
}

/* Controls (C0, DEL, C1) and directional overrides could rewrite the operator's line. */
static bool is_printable(const unsigned char *at, size_t bytes)
{
    if (bytes == 1)
        return at[0] >= 0x20 && at[0] != 0x7f;
    if (bytes == 2 && at[0] == 0xc2 && at[1] < 0xa0)
        return false;
    if (bytes == 3 && at[0] == 0xe2 && at[1] == 0x80)
        return !(at[2] >= 0xa8 && at[2] <= 0xae); /* U+2028..U+202E */
    if (bytes == 3 && at[0] == 0xe2 && at[1] == 0x81)
        return !(at[2] >= 0xa6 && at[2] <= 0xa9); /* U+2066..U+2069 */
    return true;
}

size_t printable(char *out, size_t room, slice text)
{
    size_t used = 0;

    for (size_t i = 0; i < text.len;) {
        const unsigned char *at = (const unsigned char *)text.at + i;
        size_t step = utf8_step(slice_from(text, i));
        char shown[8];

        if (step != 0 && is_printable(at, step)) {
            memcpy(shown, at, step);
            i += step;
        } else {
            step = (size_t)snprintf(shown, sizeof(shown), "\\x%02x", at[0]);
            i++;
        }
        if (used + step + sizeof("...") > room) {
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        memcpy(out + used, shown, step);
        used += step;
    }
    out[used] = '\0';
    return used;
}

static PRINTF_LIKE(2, 0) void diag_write(struct diag *diag, const char *format, va_list args,
                                         const char *behind)
{
    char raw[2 * DIAG_TEXT_BYTES_MAX];
    int bytes = vsnprintf(raw, sizeof(raw), format, args);
    size_t used = bytes < 0 ? 0 : (size_t)bytes;

    if (used >= sizeof(raw))
        used = sizeof(raw) - 1;
    if (behind != NULL) {
        int more = snprintf(raw + used, sizeof(raw) - used, "%s", behind);

        used += more < 0 ? 0 : (size_t)more;
        if (used >= sizeof(raw))
            used = sizeof(raw) - 1;
    }
    (void)printable(diag->text, sizeof(diag->text), slice_of(raw, used));
}

result diag_fail(struct diag *diag, enum err code, const char *format, ...)
{
    va_list args;

    if (diag != NULL && diag->text[0] == '\0') {
        diag->code = code;
        va_start(args, format);
        diag_write(diag, format, args, NULL);
        va_end(args);
    }
    return FAIL(code);
}

static enum err errno_code(int number)
{
    switch (number) {
    case ENOENT:
        return ERR_MISSING;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_DENIED;
    case EEXIST:
        return ERR_CONFLICT;
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
    case ELOOP: /* asking again will not help */
        return ERR_INVALID;
    default:
        return ERR_IO;
    }
}

result diag_errno(struct diag *diag, int number, const char *format, ...)
{
    enum err code = errno_code(number);
    va_list args;

    if (diag != NULL && diag->text[0] == '\0') {
        char words[160], behind[176];
        const char *text = strerror_r(number, words, sizeof(words));

        (void)snprintf(behind, sizeof(behind), ": %s", text);
        diag->code = code;
        va_start(args, format);
        diag_write(diag, format, args, behind);
        va_end(args);
    }
    return FAIL(code);
}

result diag_within(struct diag *diag, result r, const char *format, ...)
{
    va_list args;

    if (succeeded(r) || diag == NULL)
        return r;
    char inner[DIAG_TEXT_BYTES_MAX + 2];
    (void)snprintf(inner, sizeof(inner), ": %s", diag->text);
    va_start(args, format);
    diag_write(diag, format, args, inner);
    va_end(args);
    return r;
}

void diag_reset(struct diag *diag)
{
    diag->code = ERR_NONE;
    diag->text[0] = '\0';
}
