# Completion of lenet and lenetd in bash. What there is to complete the programs say themselves, in their help.

_lenet()
{
	local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} words='' help=(--help)
	case ${program##*/} in
	lenet) help=(help "${COMP_WORDS[1]}") ;;
	esac
	COMPREPLY=()
	if [[ ${help[0]} == help && (COMP_CWORD -eq 1 || (COMP_CWORD -eq 2 && ${COMP_WORDS[1]} == help)) ]]; then
		words="help $("$program" help 2>/dev/null | sed -nE 's/^  ([a-z]+) .*/\1/p')"
	elif [[ $word == -* ]]; then
		words=$("$program" "${help[@]}" 2>/dev/null | sed -nE 's/^  (-[^ ]+) .*/\1/p')
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -o bashdefault -o default -F _lenet lenet lenetd
