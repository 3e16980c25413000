# Completion of lenet and lenetd in fish. What there is to complete the programs say themselves, in their help.

# __lenet_options PROGRAM CONDITION HELP...: what `PROGRAM HELP...` lists. An option with a value wants an argument.
function __lenet_options
	$argv[1] $argv[3..] 2>/dev/null | string replace -rf '^  (-\S+)(?:  +| (\S+) +)(.*)' '$1\t$2\t$3' | while read -d \t flag value text
		set -l kind -s
		string match -q -- '--*' $flag && set kind -l
		set -l wants
		test -n "$value" && set wants -r
		complete -c $argv[1] -n $argv[2] $kind (string trim -lc - -- $flag) $wants -d $text
	end
end

__lenet_options lenetd true --help

set -l first 'test (count (commandline -opc)) = 1'
complete -c lenet -n $first -fa help -d 'what a command does'
lenet help 2>/dev/null | string replace -rf '^  ([a-z]+) +(.*)' '$1\t$2' | while read -d \t command text
	complete -c lenet -n "$first || contains help (commandline -opc)[2]" -fa $command -d $text
	__lenet_options lenet "contains $command (commandline -opc)[2]" help $command
end
