/* What became of a call, and the words that go with a failure.
 *
 * A function that can fail returns a `result`, a struct so that it cannot be
 * mistaken for a truth value and cannot be dropped.  The words travel beside it
 * in a `struct diag`, always the last parameter: the place that knows most
 * writes them (diag_fail), callers put context in front (diag_within), and the
 * operator reads one line, from the general to the exact.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Who should act. */
enum err {
    ERR_NONE = 0,
    ERR_INVALID,  /* the sender broke a specification */
    ERR_LIMIT,    /* lawful, but over one of our limits */
    ERR_MISSING,  /* what the caller named and needed is not there */
    ERR_CONFLICT, /* contradicts what is already there */
    ERR_DENIED,   /* rights, policy or an agreement forbid it */
    ERR_IO,       /* the world failed; worth a retry */
    ERR_CORRUPT,  /* our own bytes fail their check: stop */
};

typedef struct {
    enum err code;
} result;

#define OK ((result){ERR_NONE})
#define FAIL(code) ((result){code})

static inline bool failed(result r)
{
    return r.code != ERR_NONE;
}

static inline bool succeeded(result r)
{
    return r.code == ERR_NONE;
}

/* Hand a failure to the caller.  The only macro with control flow in it. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        result try_result_ = (call);                                                               \
        if (failed(try_result_))                                                                   \
            return try_result_;                                                                    \
    } while (0)

/* Runs `fn(&variable)` when the variable goes out of scope, on every path. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* The short fixed name of an error, for JSON and logs: "invalid", "limit", ... */
const char *err_name(enum err code);

#define DIAG_TEXT_BYTES_MAX 1024

struct diag {
    enum err code;
    char text[DIAG_TEXT_BYTES_MAX]; /* printable, NUL-terminated, cut with "..." when too long */
};

/* Record the first cause and return its code.  A second call on the same diag
 * keeps the first words.  Bytes of text that are not printable UTF-8 are shown
 * as \xHH, so a hostile input cannot speak to the operator's terminal.
 * diag may be NULL: then only the code is returned. */
MUST_USE result diag_fail(struct diag *diag, enum err code, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* As diag_fail, with ": " and the words of errno `number` behind the text; the code follows from
 * the number (no such file: ERR_MISSING, no right: ERR_DENIED, exists: ERR_CONFLICT, else ERR_IO).
 */
MUST_USE result diag_errno(struct diag *diag, int number, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Pass r on; when it is a failure, put "context: " in front of the words. */
MUST_USE result diag_within(struct diag *diag, result r, const char *format, ...) PRINTF_LIKE(3, 4);

/* The analyzer reads one file at a time; this tells it that a failure stays one. */
#if defined(__clang_analyzer__) && !defined(DIAG_IS_HERE)
#define diag_fail(diag, code, ...) ((void)(diag), FAIL(code))
#define diag_errno(diag, number, ...) ((void)(diag), (void)(number), FAIL(ERR_IO))
#define diag_within(diag, r, ...) ((void)(diag), (r))
#endif

/* Forget the words, to use the diag again. */
void diag_reset(struct diag *diag);
