/* An arena at an address of the object's choice. See arena_globals.c. */
#define AT 1ull << 44
#include "arena_globals.c"
