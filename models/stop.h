// stop: remembers Ctrl-C or SIGTERM, for long work to check. A second signal ends the program at once.
#pragma once

void stop_catch(void); // installs the handlers; call once, before the work
int stop_signal(void); // the signal that came, or 0
