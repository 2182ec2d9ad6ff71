import type { SchemaInput, SchemaOutput, StandardSchema } from "../values/standard_schema.ts";
import type { DefinitionOptions, GetOrSetOptions, LoaderContext } from "./options.ts";

/** What a loader is given where a schema says what the values are: it gives what the schema takes. */
export type SchemaLoaderContext<Schema extends StandardSchema> =
  & Omit<LoaderContext<unknown>, "stale">
  & Pick<LoaderContext<SchemaOutput<Schema>>, "stale">;

/** A loader's value: `any` and `unknown` are for the schema to check, else it is something that the schema takes. */
export type SchemaTakes<Schema extends StandardSchema, Loaded> = unknown extends Loaded ? unknown
  : [Loaded] extends [SchemaInput<Schema> | undefined] ? unknown
  : never;

/** What the schema makes of a loader's value; `undefined` says that there is none, and no schema is asked. */
export type SchemaMakes<Schema extends StandardSchema, Loaded> =
  | SchemaOutput<Schema>
  | (unknown extends Loaded ? never : Extract<Loaded, undefined>);

/** Options of `getOrSet` with a schema that says what the values are. */
export interface SchemaLoadOptions<Schema extends StandardSchema>
  extends Omit<GetOrSetOptions<SchemaOutput<Schema>>, "schema"> {
  /** What the value must fit, and what it becomes. */
  schema: Schema;
}

/** One kind of value, with a schema that says what the values are. */
export interface SchemaDefinitionOptions<Id, Schema extends StandardSchema, Loaded>
  extends Omit<DefinitionOptions<Id, SchemaOutput<Schema>>, "schema" | "load" | "loadMany"> {
  /** What the value must fit, and what it becomes. */
  schema: Schema;
  /** Gets a value from where it really lives; `undefined` says that there is none, and takes away what was kept. */
  load: (id: Id, context: SchemaLoaderContext<Schema>) => Loaded | Promise<Loaded>;
  /**
   * Gets several; those that there are, by id. What was kept under an id that is missing is taken away.
   *
   * @default {`load` for each}
   */
  loadMany?: ((ids: readonly Id[]) => ReadonlyMap<Id, Loaded> | Promise<ReadonlyMap<Id, Loaded>>) | undefined;
}
