# Fills a page of docs/man/ with what the programs say of themselves, so that flags are described in one place:
#   @options PROGRAM [COMMAND]   the options that its --help lists
#   @commands PROGRAM            a section for each command that its help lists, with its options
# usage: awk -v bin=build/release -f docs/man/fill.awk docs/man/lenetd.8

function fail(message)
{
	print "fill.awk: " message >"/dev/stderr"
	failed = 1
	exit 1
}

# In roff a backslash, and a full stop or an apostrophe at a line's start, mean something.
function plain(text)
{
	gsub(/\\/, "\\e", text)
	return text ~ /^[.']/ ? "\\&" text : text
}

# help(COMMAND): its help into lines[1] to lines[n_lines].
function help(command)
{
	n_lines = 0
	while ((command | getline line) > 0)
		lines[++n_lines] = line
	if (close(command) != 0 || n_lines == 0)
		fail("cannot run: " command)
}

# One line of help: "  --name VALUE  what it does", or without VALUE and then two spaces at least.
function print_option(line,   n, name, value)
{
	sub(/^  /, "", line)
	name = line
	sub(/ .*/, "", name)
	sub(/^-[^ ]+/, "", line)
	if (line ~ /^ [^ ]/) {
		sub(/^ /, "", line)
		n = index(line, " ")
		value = substr(line, 1, n - 1)
		line = substr(line, n)
	}
	sub(/^ +/, "", line)
	print ".It Fl " substr(name, 2) (value ? " Ar \\&" value : "")
	print plain(line)
}

function print_options(   i)
{
	print ".Bl -tag -width Ds"
	for (i = 1; i <= n_lines; i++)
		if (lines[i] ~ /^  -/)
			print_option(lines[i])
	print ".El"
}

function print_command(program, command,   i, first)
{
	help(program " help " command)
	first = lines[1]
	sub(/^usage: /, "", first)
	sub(/  +/, " ", first)
	print ".Ss " plain(first) "\\&"
	print ".Bd -unfilled"
	for (i = 3; i <= n_lines && lines[i] != "options:"; i++)
		if (lines[i] != "" || lines[i + 1] != "options:")
			print plain(lines[i])
	print ".Ed"
	print_options()
}

$1 == "@options" {
	help(bin "/" $2 ($3 ? " help " $3 : " --help"))
	print_options()
	next
}

$1 == "@commands" {
	program = bin "/" $2
	help(program " help")
	n_commands = 0
	for (i = 1; i <= n_lines; i++)
		if (split(lines[i], word, " ") > 1 && lines[i] ~ /^  [a-z]/)
			commands[++n_commands] = word[1]
	for (i = 1; i <= n_commands; i++)
		print_command(program, commands[i])
	next
}

{ print }

END { exit failed }
