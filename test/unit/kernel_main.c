/* SPDX-License-Identifier: MIT */
#include "world.h"

static void test_init_holds_everything(void **state)
{
    (void)state;
    check_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_init_holds_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
