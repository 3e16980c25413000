// json: what the commands need to print JSON themselves, number by number.
#pragma once

// The text as a JSON string, in quotes. The caller frees; NULL: out of memory.
char *json_quote(const char *text);
