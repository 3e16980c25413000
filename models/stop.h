// stop: Ctrl-C and SIGTERM as a wish that long work asks for between its pieces. The second one ends the program at once.
#pragma once

void stop_catch(void); // call once, before the work
int stop_signal(void); // the signal that came, 0 while there was none
