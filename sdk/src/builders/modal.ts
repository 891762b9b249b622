// Modals: forms that answer an interaction.

import { Parent } from "./base.ts";

export class ModalBuilder extends Parent implements flora.ModalBuilder {
  constructor(customId?: string, title?: string) {
    super({} as flora.ComponentJson);
    if (customId !== undefined) this.setCustomId(customId);
    if (title !== undefined) this.setTitle(title);
  }

  setCustomId(customId: string): this {
    return this.put("custom_id", customId);
  }

  setTitle(title: string): this {
    return this.put("title", title);
  }

  override toJSON(): flora.ModalJson & flora.ComponentJson {
    return super.toJSON() as flora.ModalJson & flora.ComponentJson;
  }
}

export const modal: typeof flora.modal = (customId, title) => new ModalBuilder(customId, title);
