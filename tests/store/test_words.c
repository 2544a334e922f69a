#include "rows.h"

#include "base/buf.h"
#include "store/words.h"

#include "base/banned.h"

/* Words with "|" between them, "+" in front of one that is joined to the one before. */
static const struct {
    const char *name;
    slice text, words;
} texts[] = {
    {"nothing", S(""), S("")},
    {"no words", S(" .,;!  --"), S("")},
    {"plain", S("Lazarus Group"), S("lazarus|group")},
    {"technique", S("T1566.001"), S("t1566|+001")},
    {"domain", S("www.Evil-host.example"), S("www|+evil|+host|+example")},
    {"two joiners part", S("a..b"), S("a|b")},
    {"a space parts", S("a. b"), S("a|b")},
    {"mail", S("a@b.c"), S("a|+b|+c")},
    {"accents fold", S("ÉCOLE Übung ÷ ĀāĐ"), S("école|übung|āāđ")},
    {"Greek and Cyrillic fold", S("ΑΒΓ МОСКВА Ѐ"), S("αβγ|москва|ѐ")},
    {"Hebrew as it is", S("קבוצת תקיפה"), S("קבוצת|תקיפה")},
    {"Japanese in pairs", S("攻撃者"), S("攻撃|+撃者|+者")},
    {"one character", S("攻"), S("攻")},
    {"scripts side by side", S("APT29攻撃"), S("apt29|+攻撃|+撃")},
    {"full width", S("ＡＰＴ２９"), S("apt29")},
    {"Japanese punctuation", S("攻撃、者。"), S("攻撃|+撃|者")},
    {"dashes and quotes", S("“zero–day”…"), S("zero|day")},
    {"emoji", S("a😀b"), S("a|b")},
    {"broken end", S("a\xe6\x94"), S("a")},
};

static void texts_are_cut_into_words(void **state)
{
    (void)state;
    CHECK_ROWS(row, texts) {
        CLEANUP(buf_free) struct buf words = BUF(1024);
        struct word_walk walk = WORD_WALK(row->text);

        while (word_next(&walk)) {
            if (words.len > 0)
                buf_byte(&words, '|');
            if (walk.joined)
                buf_byte(&words, '+');
            buf_put(&words, walk.word);
        }
        if (!slice_eq(buf_slice(&words), row->words))
            fail_msg("%s: %.*s", row->name, SLICE_ARG(buf_slice(&words)));
    }
}

static void a_long_word_is_cut_between_characters(void **state)
{
    char text[300];
    struct word_walk walk;

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text + WORD_BYTES_MAX - 1, "\xc3\xa9", 2);
    walk = WORD_WALK(slice_of(text, sizeof(text)));
    assert_true(word_next(&walk));
    assert_true(walk.word.len <= WORD_BYTES_MAX);
    assert_true(utf8_valid(walk.word));
    assert_false(word_next(&walk));
}

static void any_bytes_are_safe(void **state)
{
    uint64_t seed = 1;
    char text[64];

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        struct word_walk walk;
        size_t len = round % sizeof(text);

        for (size_t i = 0; i < len; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            text[i] = (char)(seed >> (seed >> 61 == 0 ? 40 : 57));
        }
        walk = WORD_WALK(slice_of(text, len));
        while (word_next(&walk))
            assert_true(walk.word.len > 0 && walk.word.len <= WORD_BYTES_MAX && walk.at <= len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_cut_into_words),
        cmocka_unit_test(a_long_word_is_cut_between_characters),
        cmocka_unit_test(any_bytes_are_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
