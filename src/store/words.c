#include "store/words.h"

#include "base/banned.h"

/* ASCII: what a byte is folded to, 0 for what parts words. */
static const char ascii_fold[128] = {
    ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6',
    ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd',
    ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k',
    ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r',
    ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y',
    ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f',
    ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm',
    ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't',
    ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z',
};

enum script { SCRIPT_NONE, SCRIPT_LETTER, SCRIPT_WIDE };

/* Ranges beyond ASCII that are not letters, that are wide, or whose capitals fold by a step. */
static const struct range {
    uint32_t first, last;
    enum script script;
    uint32_t step;    /* added to fold */
    bool every_other; /* capitals are the even ones: the step goes to these alone */
} ranges[] = {
    {0x80, 0xa9, SCRIPT_NONE, 0, false},        {0xab, 0xb4, SCRIPT_NONE, 0, false},
    {0xb6, 0xb9, SCRIPT_NONE, 0, false},        {0xbb, 0xbf, SCRIPT_NONE, 0, false},
    {0xc0, 0xd6, SCRIPT_LETTER, 0x20, false},   {0xd7, 0xd7, SCRIPT_NONE, 0, false},
    {0xd8, 0xde, SCRIPT_LETTER, 0x20, false},   {0xf7, 0xf7, SCRIPT_NONE, 0, false},
    {0x100, 0x137, SCRIPT_LETTER, 1, true},     {0x14a, 0x177, SCRIPT_LETTER, 1, true},
    {0x391, 0x3a9, SCRIPT_LETTER, 0x20, false}, {0x400, 0x40f, SCRIPT_LETTER, 0x50, false},
    {0x410, 0x42f, SCRIPT_LETTER, 0x20, false}, {0x460, 0x481, SCRIPT_LETTER, 1, true},
    {0x48a, 0x4bf, SCRIPT_LETTER, 1, true},     {0x531, 0x556, SCRIPT_LETTER, 0x30, false},
    {0x5be, 0x5be, SCRIPT_NONE, 0, false},      {0x5c0, 0x5c0, SCRIPT_NONE, 0, false},
    {0x5c3, 0x5c3, SCRIPT_NONE, 0, false},      {0x60c, 0x60d, SCRIPT_NONE, 0, false},
    {0x61b, 0x61f, SCRIPT_NONE, 0, false},      {0x1100, 0x11ff, SCRIPT_WIDE, 0, false},
    {0x1e00, 0x1e95, SCRIPT_LETTER, 1, true},   {0x1ea0, 0x1eff, SCRIPT_LETTER, 1, true},
    {0x2000, 0x2bff, SCRIPT_NONE, 0, false},    {0x2e00, 0x2e7f, SCRIPT_NONE, 0, false},
    {0x2e80, 0x2fdf, SCRIPT_WIDE, 0, false},    {0x3000, 0x3004, SCRIPT_NONE, 0, false},
    {0x3005, 0x3007, SCRIPT_WIDE, 0, false},    {0x3008, 0x3020, SCRIPT_NONE, 0, false},
    {0x3021, 0x303f, SCRIPT_NONE, 0, false},    {0x3040, 0x30fa, SCRIPT_WIDE, 0, false},
    {0x30fb, 0x30fb, SCRIPT_NONE, 0, false},    {0x30fc, 0x9fff, SCRIPT_WIDE, 0, false},
    {0xac00, 0xd7ff, SCRIPT_WIDE, 0, false},    {0xe000, 0xf8ff, SCRIPT_NONE, 0, false},
    {0xf900, 0xfaff, SCRIPT_WIDE, 0, false},    {0xfe00, 0xfe6f, SCRIPT_NONE, 0, false},
    {0xff00, 0xff0f, SCRIPT_NONE, 0, false},    {0xff1a, 0xff20, SCRIPT_NONE, 0, false},
    {0xff3b, 0xff40, SCRIPT_NONE, 0, false},    {0xff5b, 0xff65, SCRIPT_NONE, 0, false},
    {0xff66, 0xffdc, SCRIPT_WIDE, 0, false},    {0xffe0, 0xffff, SCRIPT_NONE, 0, false},
    {0x1f000, 0x1faff, SCRIPT_NONE, 0, false},  {0x20000, 0x3ffff, SCRIPT_WIDE, 0, false},
    {0xe0000, 0x10ffff, SCRIPT_NONE, 0, false},
};

struct character {
    uint32_t folded;
    enum script script;
    size_t bytes; /* in the text; 0 at its end */
};

static struct character classify(uint32_t code, size_t bytes)
{
    struct character out = {code, SCRIPT_LETTER, bytes};

    /* Full-width forms are the ASCII they look like. */
    if ((code >= 0xff10 && code <= 0xff19) || (code >= 0xff21 && code <= 0xff3a) ||
        (code >= 0xff41 && code <= 0xff5a)) {
        out.folded = (uint32_t)(uint8_t)ascii_fold[code - 0xfee0];
        return out;
    }
    size_t low = 0, high = sizeof(ranges) / sizeof(ranges[0]);
    while (low < high) {
        size_t middle = (low + high) / 2;

        if (code > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == sizeof(ranges) / sizeof(ranges[0]) || code < ranges[low].first)
        return out;
    out.script = ranges[low].script;
    if (!ranges[low].every_other || code % 2 == 0)
        out.folded += ranges[low].step;
    return out;
}

/* The text is valid UTF-8; a broken byte would part words and nothing worse. */
static struct character character_at(slice text, size_t at)
{
    if (at >= text.len)
        return (struct character){0};
    uint8_t lead = (uint8_t)text.at[at];
    if (lead < 0x80) {
        char folded = ascii_fold[lead];
        return (struct character){(uint8_t)folded, folded ? SCRIPT_LETTER : SCRIPT_NONE, 1};
    }
    size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    uint32_t code = bytes == 1 ? 0xfffd : lead & (0xffu >> (bytes + 1));
    if (at + bytes > text.len)
        return (struct character){0, SCRIPT_NONE, text.len - at};
    for (size_t i = 1; i < bytes; i++)
        code = code << 6 | ((uint8_t)text.at[at + i] & 0x3f);
    return classify(code, bytes);
}

static size_t utf8_put(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t bytes = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = bytes - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)((0xf00 >> bytes & 0xff) | code);
    return bytes;
}

static void word_wide(struct word_walk *walk, struct character first)
{
    struct character next = character_at(walk->text, walk->at + first.bytes);
    size_t len = utf8_put(walk->bytes, first.folded);

    walk->is_wide = true;
    walk->is_single = next.script != SCRIPT_WIDE;
    if (!walk->is_single)
        len += utf8_put(walk->bytes + len, next.folded);
    walk->at += first.bytes;
    walk->word = slice_of(walk->bytes, len);
}

static void word_letters(struct word_walk *walk, struct character here)
{
    size_t len = 0;

    walk->is_wide = walk->is_single = false;
    while (here.script == SCRIPT_LETTER) {
        char bytes[4];
        size_t count = utf8_put(bytes, here.folded);

        if (len + count <= WORD_BYTES_MAX) {
            memcpy(walk->bytes + len, bytes, count);
            len += count;
        }
        walk->at += here.bytes;
        /* Nearly all text is ASCII: stay in this loop for it. */
        while (walk->at < walk->text.len && (uint8_t)walk->text.at[walk->at] < 0x80 &&
               ascii_fold[(uint8_t)walk->text.at[walk->at]] != 0) {
            if (len < WORD_BYTES_MAX)
                walk->bytes[len++] = ascii_fold[(uint8_t)walk->text.at[walk->at]];
            walk->at++;
        }
        here = character_at(walk->text, walk->at);
    }
    walk->word = slice_of(walk->bytes, len);
}

static bool is_joiner(char byte)
{
    return byte == '.' || byte == '-' || byte == '_' || byte == '@' || byte == ':' || byte == '/';
}

bool word_next(struct word_walk *walk)
{
    size_t before = walk->at;
    struct character here = character_at(walk->text, walk->at);

    while (here.bytes > 0 && here.script == SCRIPT_NONE) {
        walk->at += here.bytes;
        here = character_at(walk->text, walk->at);
    }
    if (here.bytes == 0)
        return false;
    walk->joined = before > 0 && (walk->at == before ||
                                  (walk->at == before + 1 && is_joiner(walk->text.at[before])));
    if (here.script == SCRIPT_WIDE)
        word_wide(walk, here);
    else
        word_letters(walk, here);
    return true;
}
