// Settings as they stand on the command line: NAME=VALUE, each a number from 1 up to a highest one.

export class UsageError extends Error {}

export const highestSize = 64 * 1024 * 1024; // [bytes]
export const longestIdle = 24 * 60 * 60 * 1000; // [ms]
export const highestPort = 65535;

function readNumber(name, text, highest) {
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= highest) return number;
  throw new UsageError(`${name}=${text}: it must be a number from 1 to ${highest}`);
}

// known: { name: { highest, otherwise } }; a setting without `otherwise` must be given.
export function readSettings(known, given) {
  const settings = {};
  for (const argument of given) {
    const equals = argument.indexOf('=');
    if (equals < 0) throw new UsageError(`'${argument}' is not NAME=VALUE`);
    const name = argument.slice(0, equals);
    if (!Object.hasOwn(known, name)) throw new UsageError(`'${name}' is no setting of this server`);
    if (name in settings) throw new UsageError(`${name} is given twice`);
    settings[name] = readNumber(name, argument.slice(equals + 1), known[name].highest);
  }
  for (const [name, { otherwise }] of Object.entries(known)) {
    settings[name] ??= otherwise;
    if (settings[name] === undefined) throw new UsageError(`${name}= is missing`);
  }
  return settings;
}
