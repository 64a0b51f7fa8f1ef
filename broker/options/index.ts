// What any table of options is made of and read by: kinds of options, the sources of their values, and
// the sentence for a bad one. The options of a node are in ../config.ts, those of a command with the command.
export {
  environmentLayer,
  environmentNameOf,
  fileLayer,
  flagOf,
  type Given,
  type Layer,
  OptionError,
  resolve,
  unknownOption
} from './layers.ts'
export {
  bytes,
  choice,
  countOrAuto,
  duration,
  flag,
  integer,
  list,
  type Option,
  type OptionTable,
  type OptionValues,
  port,
  portOrOff,
  type Shape,
  secrets,
  several,
  text,
  word
} from './option.ts'
export { suggestion } from './suggestion.ts'
