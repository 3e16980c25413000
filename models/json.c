// cJSON knows what must be escaped.
#include "models/json.h"

#include <cjson/cJSON.h>
#include <stddef.h>

char *json_quote(const char *text)
{
	cJSON *string = cJSON_CreateStringReference(text);
	char *quoted = string ? cJSON_PrintUnformatted(string) : NULL;
	cJSON_Delete(string);
	return quoted;
}
