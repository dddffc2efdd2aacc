// Tab keeps the kernel's order: columns before functions, the likeliest first. Jupyter sorts what fits by the alphabet.

const ID = "CompletionProvider:md_magic";
const RANK = 2000; // the first provider says which model is used; the debugger's has 1000

/** @typedef {{ identifier: string, renderer?: object | null, modelFactory?: (context: any) => Promise<any> }} Provider */
/** @typedef {{ getProviders(): Map<string, Provider>, registerProvider(provider: object): void }} Manager */

/**
 * Register a provider that answers nothing itself: it brings the model that keeps the order.
 * @param {Manager} manager
 * @param {new () => any} CompleterModel
 * @param {(editor: any) => boolean} isOurs whether the cursor of an editor is in our magic
 */
export function keepOrder(manager, CompleterModel, isOurs) {
  const others = () => [...manager.getProviders().values()].filter((provider) => provider.identifier !== ID);
  manager.registerProvider({
    identifier: ID,
    rank: RANK,
    get renderer() {
      return others().find((provider) => provider.renderer)?.renderer ?? null;
    },
    isApplicable: async () => false,
    fetch: async () => ({ start: 0, end: 0, items: [] }),
    modelFactory: async (/** @type {{ editor: any }} */ context) => {
      const model =
        (await others()
          .find((provider) => provider.modelFactory)
          ?.modelFactory?.(context)) ?? new CompleterModel();
      return ordered(model, () => Boolean(context.editor) && isOurs(context.editor));
    },
  });
}

/**
 * Make a model of completions keep the order in which they came.
 * @param {any} model
 * @param {() => boolean} isOurs
 */
export function ordered(model, isOurs) {
  const { setCompletionItems, completionItems } = model;
  /** @type {any[] | null} */
  let sorted = null;
  model.setCompletionItems = (/** @type {any[]} */ items) => {
    if (isOurs()) for (const [order, item] of items.entries()) item.mdsqlOrder = order;
    setCompletionItems.call(model, items);
  };
  model.completionItems = () => {
    const items = completionItems.call(model);
    if (items !== sorted && items.every((/** @type {any} */ item) => "mdsqlOrder" in item)) {
      items.sort((/** @type {any} */ a, /** @type {any} */ b) => a.mdsqlOrder - b.mdsqlOrder);
    }
    sorted = items;
    return items;
  };
  return model;
}
